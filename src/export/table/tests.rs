use super::*;

fn wrapped(words: &str) -> String {
    let mut out = Vec::new();
    write_wrapped(&mut out, "Name  ", "      ", words).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn words_go_on_behind_the_indent() {
    let twenty = "x".repeat(20);
    let text = [twenty.as_str(); 4].join(" ");
    assert_eq!(wrapped(&text), format!("Name  {twenty} {twenty} {twenty}\n      {twenty}\n"));
}

#[test]
fn a_word_that_is_too_long_is_not_broken() {
    let long = "x".repeat(100);
    assert_eq!(wrapped(&long), format!("Name  {long}\n"));
    assert_eq!(wrapped(&format!("a {long}")), format!("Name  a\n      {long}\n"));
}

#[test]
fn words_that_belong_together_stay_in_one_line() {
    let text = format!("{} a{NO_BREAK}b", "x".repeat(71));
    assert_eq!(wrapped(&text), format!("Name  {}\n      a b\n", "x".repeat(71)));
}

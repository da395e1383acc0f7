//! Rust source text → its tokens, without comments and literals: as much of the grammar as it takes to find paths.

/// Words, `::` and single signs, in order. Comments, texts, characters and blanks are left out.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let left_out =
            comment(rest).or_else(|| literal(rest)).or_else(|| first.is_whitespace().then(|| first.len_utf8()));
        let length = left_out.unwrap_or_else(|| match first {
            _ if is_word(rest) => word(rest),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        });
        if left_out.is_none() {
            tokens.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
    }
    tokens
}

/// True if a name, a keyword or a number begins here.
pub fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphanumeric())
}

fn word(text: &str) -> usize {
    text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len())
}

/// The length of the comment that begins here; block comments nest.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut depth = 0;
    let mut at = text.starts_with("/*").then_some(0)?;
    loop {
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return Some(at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            Some(_) => at += 1,
            None => return Some(text.len()),
        }
    }
}

/// The length of the text, byte text or character that begins here, its prefix included.
fn literal(text: &str) -> Option<usize> {
    let prefix = text.find(|c: char| !c.is_ascii_lowercase())?;
    if !matches!(&text[..prefix], "" | "b" | "c" | "r" | "br" | "cr") {
        return None;
    }
    let body = &text[prefix..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    let length = match body[hashes..].chars().next()? {
        '"' if text[..prefix].ends_with('r') => raw(body, hashes),
        '"' if hashes == 0 => quoted(body),
        '\'' if hashes == 0 => character(body)?,
        _ => return None,
    };
    Some(prefix + length)
}

/// `#"…"#` with so many hashes.
fn raw(text: &str, hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = hashes + 1;
    text[inside..].find(&end).map_or(text.len(), |at| inside + at + end.len())
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    let is_end = |c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    };
    text[1..].find(is_end).map_or(text.len(), |at| at + 2)
}

/// A quote may also begin the name of a lifetime, which is no literal.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    match (characters.next()?.1, characters.next()?) {
        ('\\', (escaped, c)) => text[escaped + c.len_utf8()..].find('\'').map(|at| escaped + c.len_utf8() + at + 1),
        (_, (end, '\'')) => Some(end + 1),
        _ => None,
    }
}

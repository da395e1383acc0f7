use super::*;

fn rewritten(line: &str) -> Result<Vec<String>, String> {
    let typed = line.split_whitespace().map(OsString::from);
    let arguments = rewrite(typed).map_err(|error| error.to_string())?;
    Ok(arguments.rewritten.into_iter().map(|argument| argument.into_string().unwrap()).collect())
}

fn values(line: &str) -> Vec<(String, Option<String>)> {
    let arguments = rewrite(line.split_whitespace().map(OsString::from)).unwrap();
    let value = |occurrence: &Occurrence| occurrence.value.as_ref().map(|value| value.to_str().unwrap().to_owned());
    arguments.occurrences.iter().map(|occurrence| (occurrence.typed.clone(), value(occurrence))).collect()
}

#[test]
fn known_long_option_gets_a_second_dash_and_the_rest_is_unchanged() {
    let table = [
        ("-iface eth0", "--iface eth0"),
        ("--iface eth0", "--iface eth0"),
        ("-iface=eth0", "--iface=eth0"),
        ("--iface=eth0", "--iface=eth0"),
        ("-interface eth0 -web.listen-address :9", "--interface eth0 --web.listen-address :9"),
        ("-promHTTP=a=b", "--promHTTP=a=b"),
        ("-filter=", "--filter="),
        ("-i eth0 -f tcp", "-i eth0 -f tcp"),
        ("-i=eth0", "-i=eth0"),
        ("-l=/var/log", "-l=/var/log"),
        ("-promisc", "--promisc"),
        ("-promisc=true", "--promisc=true"),
        ("-promisc=false tcp", "--promisc=false tcp"),
        ("-promisc -iface eth0", "--promisc --iface eth0"),
        ("-vv", "-vv"),
        ("-vvv -v", "-vvv -v"),
        ("-help", "--help"),
        ("-version", "--version"),
        ("-config.check", "--config.check"),
        ("-r - tcp", "-r - tcp"),
        ("- tcp", "- tcp"),
        ("tcp -iface eth0 port 80", "tcp --iface eth0 port 80"),
        ("replay a.pcap -flow-key pair", "replay a.pcap --flow-key pair"),
        ("", ""),
    ];
    for (typed, expected) in table {
        assert_eq!(rewritten(typed).unwrap().join(" "), expected, "{typed}");
    }
}

#[test]
fn arguments_in_place_of_a_value_are_not_changed() {
    for line in
        ["--anom_lower_bound -500", "--filter -iface", "-f -ifaec", "--filter --", "-i -vv", "--filter -- --iface x"]
    {
        assert_eq!(rewritten(line).unwrap().join(" "), line);
    }
    assert_eq!(rewritten("-filter -iface -promisc").unwrap(), ["--filter", "-iface", "--promisc"]);
    assert_eq!(
        values("-filter -iface -promisc"),
        [("-filter".into(), Some("-iface".into())), ("-promisc".into(), None)]
    );
}

#[test]
fn arguments_behind_two_dashes_are_not_changed() {
    assert_eq!(rewritten("-promisc -- -iface -ifaec -i").unwrap().join(" "), "--promisc -- -iface -ifaec -i");
    assert_eq!(values("-promisc -- -iface eth0").len(), 1);
}

#[test]
fn other_single_dashes_are_refused_with_advice() {
    let table = [
        ("-ifaec eth0", "-ifaec: no such option; did you mean -iface?"),
        ("--ifaec eth0", "--ifaec: no such option; did you mean --iface?"),
        ("-ifaec=eth0", "-ifaec: no such option; did you mean -iface?"),
        ("-slack_ulr x", "-slack_ulr: no such option; did you mean -slack_url?"),
        ("-ByteLimits 5", "-ByteLimits: no such option; did you mean -ByteLimit?"),
        ("-ieth0", "-ieth0: no such option; see --help for the list of options; a value follows after a space or ="),
        ("-s65535", "-s65535: no such option; see --help for the list of options; a value follows after a space or ="),
        ("-500", "-500: no such option; limits and windows cannot be negative"),
        ("-x", "-x: no such option; see --help for the list of options; a value follows after a space or ="),
        ("-x=5", "-x: no such option; see --help for the list of options; a value follows after a space or ="),
        ("--i eth0", "--i: no such option; did you mean -i?"),
        ("-vvh", "-vvh: no such option; see --help for the list of options; a value follows after a space or ="),
        ("-vv=1", "-vv: no such option; see --help for the list of options; a value follows after a space or ="),
        ("-=5", "-: no such option; see --help for the list of options; a value follows after a space or ="),
        ("---iface eth0", "---iface: no such option; did you mean --iface?"),
        ("-iface", "-iface: value missing; write -iface NAME,..."),
        ("-w", "-w: value missing; write -w DURATION"),
    ];
    for (typed, expected) in table {
        assert_eq!(rewritten(typed).unwrap_err(), expected, "{typed}");
    }
}

#[test]
fn an_unknown_option_is_never_cut_into_a_letter_and_its_value() {
    let letters: Vec<char> = all().filter_map(|declaration| declaration.short).collect();
    for dashes in ["-", "--"] {
        for letter in &letters {
            for rest in ["oo", "qq", "oobar", "-x", "zzzzzzzzzzzzzzzzzzzzzzzzzzzz"] {
                let Err(message) = rewritten(&format!("{dashes}{letter}{rest} eth0")) else { continue };
                assert!(!message.contains(&format!("-{letter} {rest}")), "{message}");
                assert!(!message.contains(&format!("of -{letter}")), "{message}");
            }
        }
    }
    let unexplained = "no such option; see --help for the list of options; a value follows after a space or =";
    for option in ["--fqq", "-fqq", "--fq", "-fq", "--ixyz", "-wx"] {
        assert_eq!(rewritten(option).unwrap_err(), format!("{option}: {unexplained}"));
    }
}

#[test]
fn filter_may_contain_the_name_of_a_subcommand() {
    assert!(rewritten("host analyze").is_ok());
    assert!(rewritten("-- analyze").is_ok());
}

#[test]
fn occurrences_remember_how_an_option_was_typed() {
    let expected = [("-i", "eth0"), ("--interface", "eth1"), ("-iface", "eth2")]
        .map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    assert_eq!(values("-i eth0 --interface eth1 -iface=eth2"), expected);
    assert_eq!(values("-vv -promisc"), [("-vv".into(), None), ("-vv".into(), None), ("-promisc".into(), None)]);
}

#[test]
fn a_value_need_not_be_utf_8() {
    let broken = OsString::from_vec(b"-pcapfile=\xff".to_vec());
    let arguments = rewrite([broken]).unwrap();
    assert_eq!(arguments.rewritten, [OsString::from_vec(b"--pcapfile=\xff".to_vec())]);
    assert_eq!(arguments.occurrences[0].value, Some(OsString::from_vec(b"\xff".to_vec())));
    assert!(rewrite([OsString::from_vec(b"-\xff\xff".to_vec())]).is_err());
    assert!(rewrite([OsString::from_vec(b"\xff-iface".to_vec())]).is_ok());
}

mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Arguments of the shapes that matter, and any bytes.
    fn argument() -> impl Strategy<Value = OsString> {
        let names: Vec<_> = all().flat_map(Declaration::long_names).collect();
        let shaped = (
            prop::sample::select(vec!["", "-", "--", "---"]),
            prop::sample::select(names),
            prop::sample::select(vec!["", "=", "=x", "=true", "="]),
        )
            .prop_map(|(dashes, name, value)| OsString::from(format!("{dashes}{name}{value}")));
        let fixed =
            prop::sample::select(vec!["-", "--", "-i", "-vv", "-i=x", "-ieth0", "tcp", "replay", "true", "", "-500"])
                .prop_map(OsString::from);
        let bytes = vec(any::<u8>(), 0..12).prop_map(OsString::from_vec);
        prop_oneof![4 => shaped, 3 => fixed, 1 => bytes]
    }

    proptest! {
        #[test]
        fn rewriting_never_panics_and_its_outcome_is_stable(typed in vec(argument(), 0..8)) {
            if let Ok(once) = rewrite(typed.clone()) {
                prop_assert_eq!(once.rewritten.len(), typed.len());
                let again = rewrite(once.rewritten.clone()).unwrap();
                prop_assert_eq!(&again.rewritten, &once.rewritten);
                let values = |arguments: &Arguments| -> Vec<_> {
                    arguments.occurrences.iter().map(|one| (one.declaration.id(), one.value.clone())).collect()
                };
                prop_assert_eq!(values(&again), values(&once));
            }
        }

        #[test]
        fn double_dashes_are_left_as_they_are(typed in vec(argument(), 0..8)) {
            let doubled = |argument: &OsString| !argument.as_bytes().starts_with(b"-") || argument.as_bytes().starts_with(b"--");
            prop_assume!(typed.iter().all(doubled));
            if let Ok(arguments) = rewrite(typed.clone()) {
                prop_assert_eq!(arguments.rewritten, typed);
            }
        }

        #[test]
        fn each_argument_stays_or_gains_one_dash(typed in vec(argument(), 0..8)) {
            if let Ok(arguments) = rewrite(typed.clone()) {
                for (before, after) in typed.iter().zip(&arguments.rewritten) {
                    prop_assert!(after == before || *after == with_second_dash(before));
                }
            }
        }

        #[test]
        fn clap_reads_the_same_values(typed in vec(argument(), 0..8)) {
            let Ok(arguments) = rewrite(typed) else { return Ok(()) };
            let line = std::iter::once(OsString::from("t")).chain(arguments.rewritten.iter().cloned());
            let Ok(matches) = crate::cli::command::reading("").try_get_matches_from(line) else { return Ok(()) };
            for declaration in all() {
                let id = declaration.id();
                if matches!(id.as_str(), "help" | "version") {
                    continue;
                }
                let count = |matches: &clap::ArgMatches| -> Vec<OsString> {
                    matches.get_many::<OsString>(&id).into_iter().flatten().cloned().collect()
                };
                let mut of_clap = count(&matches);
                of_clap.extend(matches.subcommand().map(|(_, matches)| count(matches)).unwrap_or_default());
                let same = arguments.occurrences.iter().filter(|one| one.declaration.id() == id);
                let ours: Vec<_> = same.map(|one| one.value.clone().unwrap_or_else(|| "true".into())).collect();
                prop_assert_eq!(of_clap, ours, "{}", id);
            }
        }
    }
}

//! The tricks by which one path is made to mean two things, one by one.

use super::*;

fn refused(raw: &str) -> PathError {
    canonical(raw, Mode::Refuse).expect_err(raw)
}

fn rewritten(raw: &str) -> String {
    canonical(raw, Mode::Rewrite)
        .expect(raw)
        .rewritten()
        .expect(raw)
        .to_owned()
}

/// Refused in both modes.
fn refused_always(raw: &str) -> PathError {
    let error = canonical(raw, Mode::Rewrite).expect_err(raw);
    canonical(raw, Mode::Refuse).expect_err(raw);
    error
}

#[test]
fn usual_paths_pass_unchanged_in_both_modes() {
    for (raw, decoded) in [
        ("/", "/"),
        ("/orders/42", "/orders/42"),
        ("/orders/", "/orders/"),
        ("/users/a%40example.com", "/users/a@example.com"),
        ("/users/@me", "/users/@me"),
        ("/a%20b", "/a b"),
        ("/caf%C3%A9", "/café"),
        ("/100%25", "/100%"),
        ("/x;v=1/y", "/x;v=1/y"),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("/.../a..b", "/.../a..b"),
        ("/~user/-_.!$&'()*+,=:", "/~user/-_.!$&'()*+,=:"),
    ] {
        for mode in [Mode::Refuse, Mode::Rewrite] {
            let path = canonical(raw, mode).expect(raw);
            assert_eq!(
                (
                    path.as_str(),
                    path.decoded(),
                    path.rewritten(),
                    path.query()
                ),
                (raw, decoded, None, None),
                "{raw}"
            );
        }
    }
}

#[test]
fn the_query_is_split_off_and_kept() {
    let path = canonical("/a?x=%2e%2e/%2F&y=?\\", Mode::Refuse).unwrap();
    assert_eq!(
        (path.as_str(), path.query()),
        ("/a", Some("x=%2e%2e/%2F&y=?\\"))
    );
    let path = canonical("/a?", Mode::Refuse).unwrap();
    assert_eq!(
        (path.as_str(), path.query(), path.rewritten()),
        ("/a", Some(""), None)
    );
    assert_eq!(rewritten("/a/../b?q=/../c"), "/b?q=/../c");
    assert_eq!(refused_always("/a?b c"), PathError::Control);
    assert_eq!(refused_always("/a?b\r\nX: y"), PathError::Control);
    assert_eq!(refused_always("/a?é"), PathError::NotAscii);
}

#[test]
fn other_forms_of_the_target_are_refused() {
    assert_eq!(refused_always(""), PathError::Empty);
    assert_eq!(refused_always("*"), PathError::Asterisk);
    assert_eq!(
        refused_always("http://evil.example/admin"),
        PathError::AbsoluteForm
    );
    assert_eq!(refused_always("example.com:443"), PathError::NotOriginForm);
    assert_eq!(refused_always("orders"), PathError::NotOriginForm);
    assert_eq!(refused_always("?/a"), PathError::NotOriginForm);
    assert_eq!(refused_always("/a#/admin"), PathError::Fragment);
    assert_eq!(refused_always("/a?b#c"), PathError::Fragment);
}

#[test]
fn dot_segments_are_refused_or_removed() {
    for raw in [
        "/.",
        "/..",
        "/a/./b",
        "/a/../b",
        "/a/.",
        "/a/..",
        "/%2e",
        "/%2E%2e/a",
        "/.%2e/a",
        "/%2e./a",
        "/a/%2e%2E/b",
    ] {
        assert_eq!(refused(raw), PathError::DotSegment, "{raw}");
    }
    assert_eq!(rewritten("/a/./b"), "/a/b");
    assert_eq!(rewritten("/a/../b"), "/b");
    assert_eq!(rewritten("/a/b/.."), "/a/");
    assert_eq!(rewritten("/a/."), "/a/");
    assert_eq!(rewritten("/."), "/");
    assert_eq!(rewritten("/a/.."), "/");
    assert_eq!(rewritten("/public/%2e%2e/admin"), "/admin");
    // Above the root there is nothing to name.
    assert_eq!(refused_always("/.."), PathError::DotSegment);
    assert_eq!(refused_always("/a/../../b"), PathError::DotSegment);
    // Servlet containers cut the parameters off and then see "..".
    for raw in [
        "/public/..;/admin",
        "/public/.;x=1/admin",
        "/public/..;a=b",
        "/a/%2e%2e;/b",
        "/a/..%3B/b",
    ] {
        assert_eq!(refused_always(raw), PathError::DotSegment, "{raw}");
    }
}

#[test]
fn empty_segments_are_refused_or_merged() {
    for raw in ["//", "//a", "/a//b", "/a//"] {
        assert_eq!(refused(raw), PathError::EmptySegment, "{raw}");
    }
    assert_eq!(rewritten("//"), "/");
    assert_eq!(rewritten("//a"), "/a");
    assert_eq!(rewritten("/a//b"), "/a/b");
    assert_eq!(rewritten("/a//"), "/a/");
    assert_eq!(rewritten("/a//../b"), "/b");
}

#[test]
fn encoded_separators_are_refused_in_both_modes() {
    for raw in [
        "/a%2fb",
        "/a%2Fb",
        "/%2f",
        "/a%5cb",
        "/a%5Cb",
        "/..%2f..%2fetc",
        "/a%2f..%2fb",
    ] {
        assert_eq!(refused_always(raw), PathError::EncodedSeparator, "{raw}");
    }
    for raw in ["/a\\b", "\\a", "/..\\..\\etc"] {
        refused_always(raw);
    }
    assert_eq!(refused_always("/a\\b"), PathError::Backslash);
}

#[test]
fn control_characters_are_refused_in_both_modes() {
    for raw in ["/a\0b", "/a b", "/a\tb", "/a\r\nb", "/a\x7fb"] {
        assert_eq!(refused_always(raw), PathError::Control, "{raw:?}");
    }
    for raw in [
        "/a%00",
        "/%00.html",
        "/a%0d%0ab",
        "/a%7F",
        "/a%1f",
        "/a%C2%80",
        "/a%c2%9f",
    ] {
        assert_eq!(refused_always(raw), PathError::EncodedControl, "{raw}");
    }
}

#[test]
fn overlong_and_broken_utf8_is_refused_in_both_modes() {
    for raw in [
        "/%c0%ae%c0%ae/admin",
        "/%c0%af",
        "/%c1%9c",
        "/%e0%80%af",
        "/%e0%80%ae",
        "/%f0%80%80%af",
        "/%f8%80%80%80%af",
        "/%ed%a0%80",
        "/%ff",
        "/%80",
        "/%c3",
        "/%c3/%a9",
    ] {
        assert_eq!(refused_always(raw), PathError::InvalidUtf8, "{raw}");
    }
    assert_eq!(refused_always("/café"), PathError::NotAscii);
}

#[test]
fn broken_escapes_are_refused_in_both_modes() {
    for raw in [
        "/%", "/%2", "/a%zz", "/%u002e", "/a%", "/%%32e", "/% 2e", "/%+2", "/%2/e",
    ] {
        assert_eq!(refused_always(raw), PathError::InvalidEscape, "{raw}");
    }
}

#[test]
fn double_encoding_is_refused_in_both_modes() {
    for raw in [
        "/%252e%252e/admin",
        "/a%252fb",
        "/%2561dmin",
        "/%25%36%31dmin",
        "/%2500",
    ] {
        let error = refused_always(raw);
        assert!(matches!(error, PathError::DoubleEncoding), "{raw}: {error}");
    }
    // A percent sign that begins no escape is only that.
    assert_eq!(
        canonical("/50%25-off", Mode::Refuse).unwrap().decoded(),
        "/50%-off"
    );
}

#[test]
fn escapes_of_plain_characters_are_refused_or_decoded() {
    for raw in [
        "/%61dmin", "/adm%69n", "/%41", "/a%2Db", "/%7Euser", "/%5f", "/v1%2e2",
    ] {
        assert_eq!(refused(raw), PathError::EncodedUnreserved, "{raw}");
    }
    assert_eq!(rewritten("/%61dmin"), "/admin");
    assert_eq!(rewritten("/a%2Db%7e"), "/a-b~");
    assert_eq!(rewritten("/v1%2e2"), "/v1.2");
}

#[test]
fn characters_that_need_escapes_are_refused_or_escaped() {
    for raw in ["/a|b", "/a\"b", "/a<b>", "/a^b", "/a`b", "/{id}", "/a[0]"] {
        assert_eq!(refused(raw), PathError::Character, "{raw}");
    }
    assert_eq!(rewritten("/a|b"), "/a%7Cb");
    assert_eq!(rewritten("/{id}"), "/%7Bid%7D");
    assert_eq!(rewritten("/caf%c3%a9"), "/caf%C3%A9");
}

#[test]
fn lengths_are_bounded() {
    assert_eq!(
        refused_always(&format!("/{}", "a".repeat(MAX_PATH_BYTES))),
        PathError::TooLong
    );
    assert_eq!(
        refused_always(&"/a".repeat(MAX_SEGMENTS + 1)),
        PathError::TooManySegments
    );
    assert_eq!(
        refused_always(&"/".repeat(MAX_SEGMENTS + 2)),
        PathError::TooManySegments
    );
    canonical(&"/a".repeat(MAX_SEGMENTS), Mode::Refuse).unwrap();
}

#[test]
fn codes_and_texts_are_told_apart() {
    let all = [
        PathError::Empty,
        PathError::Asterisk,
        PathError::AbsoluteForm,
        PathError::NotOriginForm,
        PathError::TooLong,
        PathError::TooManySegments,
        PathError::Fragment,
        PathError::Control,
        PathError::NotAscii,
        PathError::Backslash,
        PathError::Character,
        PathError::InvalidEscape,
        PathError::EncodedSeparator,
        PathError::EncodedControl,
        PathError::InvalidUtf8,
        PathError::DoubleEncoding,
        PathError::EncodedUnreserved,
        PathError::DotSegment,
        PathError::EmptySegment,
    ];
    let codes = all
        .iter()
        .map(|error| error.code())
        .collect::<std::collections::BTreeSet<_>>();
    let texts = all
        .iter()
        .map(ToString::to_string)
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!((codes.len(), texts.len()), (all.len(), all.len()));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Text made of the pieces that path tricks are made of.
    fn tricky() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "/", "/", "/", "a", "b", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", "%", "%25",
            "%00", "%c0%ae", "%C3%A9", "%41", "%7C", "|", ";", "?", "#", "é", " ", "~", "2e", "%2",
            "admin",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn canonical_is_a_fixed_point(raw in tricky()) {
            for mode in [Mode::Refuse, Mode::Rewrite] {
                if let Ok(path) = canonical(&raw, mode) {
                    let wire = path.rewritten().unwrap_or(&raw);
                    // What goes upstream is canonical in the strict sense, and means the same.
                    let again = canonical(wire, Mode::Refuse).unwrap();
                    prop_assert_eq!(again.decoded(), path.decoded());
                    prop_assert_eq!(again.query(), path.query());
                    prop_assert_eq!(again.rewritten(), None);
                    prop_assert_eq!(path.rewritten().is_none(), wire == raw);
                }
            }
        }

        #[test]
        fn what_passes_has_one_meaning(raw in tricky()) {
            if let Ok(path) = canonical(&raw, Mode::Rewrite) {
                prop_assert!(path.decoded().starts_with('/'));
                prop_assert!(!path.decoded().contains("//"));
                prop_assert!(!path.decoded().contains('\\'));
                prop_assert!(!path.decoded().chars().any(char::is_control));
                prop_assert!(path.segments().all(|s| s != "." && s != ".."));
                // The number of separators is the same before and after decoding.
                prop_assert_eq!(path.as_str().matches('/').count(), path.decoded().matches('/').count());
                prop_assert!(path.as_str().is_ascii());
            }
        }

        #[test]
        fn any_text_is_survived(raw in "\\PC*") {
            let _ = canonical(&raw, Mode::Refuse);
            let _ = canonical(&raw, Mode::Rewrite);
        }
    }
}

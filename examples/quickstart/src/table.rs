//! The demo's table.

use std::io::IsTerminal as _;

use crate::scenes::Scene;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The status that the client got.
    pub status: u16,
    /// The reason that the audit event gave.
    pub reason: String,
    /// The `x-user` that the upstream saw (empty: none), if the request arrived there.
    pub upstream_user: Option<String>,
}

impl Seen {
    /// Whether this is what the scene demands.
    pub fn is_right(&self, scene: &Scene) -> bool {
        self.status == scene.status
            && self.reason == scene.reason
            && self.upstream_user.as_deref() == scene.upstream_user
    }
}

/// How the table is painted.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// Colours on a terminal, unless `NO_COLOR` says otherwise.
    pub fn detect() -> Self {
        Self {
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// No colours.
    pub const PLAIN: Self = Self { colours: false };

    /// `text` in bold.
    pub fn bold(self, text: &str) -> String {
        self.sgr("1", text)
    }

    /// `text` set back.
    pub fn dim(self, text: &str) -> String {
        self.sgr("2", text)
    }

    fn status(self, status: u16, text: &str) -> String {
        self.sgr(if status < 300 { "32" } else { "33" }, text)
    }

    fn sgr(self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

const REQUEST: usize = 29;
const CARRIES: usize = 32;

/// The line above the rows.
pub fn heading(paint: Paint) -> String {
    let line = format!(
        "   {:REQUEST$}{:CARRIES$}{:>8}{:>5}   {:23}{}",
        "request", "carries", "expected", "got", "reason", "API saw"
    );
    paint.bold(&line)
}

/// One row.
pub fn row(paint: Paint, scene: &Scene, seen: &Seen) -> String {
    let right = seen.is_right(scene);
    let mark = if right {
        paint.sgr("32", "✓")
    } else {
        paint.sgr("1;31", "✗")
    };
    let upstream = match seen.upstream_user.as_deref() {
        None => paint.dim("-"),
        Some("") => "no x-user".to_owned(),
        Some(user) => format!("x-user: {user}"),
    };
    let request = format!("{} {}", scene.method, scene.path);
    let got = paint.status(seen.status, &format!("{:>5}", seen.status));
    let mut row = format!(
        " {mark} {request:REQUEST$}{:CARRIES$}{:>8}{got}   {:23}{upstream}",
        scene.carries, scene.status, seen.reason
    );
    if !right {
        let wanted = match scene.upstream_user {
            None => "nothing upstream".to_owned(),
            Some("") => "no x-user upstream".to_owned(),
            Some(user) => format!("x-user: {user} upstream"),
        };
        row += &format!(
            "\n   {}",
            paint.sgr(
                "1;31",
                &format!(
                    "WRONG: expected {}, {}, {wanted}",
                    scene.status, scene.reason
                )
            )
        );
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::Issuer;
    use crate::scenes;

    #[test]
    fn a_verdict_is_right_in_all_its_parts_or_wrong() {
        let issuer = Issuer::new("http://127.0.0.1:9090").unwrap();
        for scene in scenes::all(&issuer).unwrap() {
            let right = Seen {
                status: scene.status,
                reason: scene.reason.to_owned(),
                upstream_user: scene.upstream_user.map(str::to_owned),
            };
            assert!(right.is_right(&scene));
            assert!(!row(Paint::PLAIN, &scene, &right).contains("WRONG"));
            for wrong in [
                Seen {
                    status: right.status + 1,
                    ..right.clone()
                },
                Seen {
                    reason: "luck".to_owned(),
                    ..right.clone()
                },
                Seen {
                    upstream_user: Some("admin".to_owned()),
                    ..right.clone()
                },
            ] {
                assert!(!wrong.is_right(&scene));
                assert!(row(Paint::PLAIN, &scene, &wrong).contains("WRONG"));
            }
        }
    }

    #[test]
    fn rows_fit_a_wide_terminal() {
        let issuer = Issuer::new("http://127.0.0.1:9090").unwrap();
        for scene in scenes::all(&issuer).unwrap() {
            let seen = Seen {
                status: scene.status,
                reason: scene.reason.to_owned(),
                upstream_user: scene.upstream_user.map(str::to_owned),
            };
            let row = row(Paint::PLAIN, &scene, &seen);
            assert!(row.chars().count() <= 120, "{row}");
        }
    }
}

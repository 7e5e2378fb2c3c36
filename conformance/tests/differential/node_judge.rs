//! npm `jose` as a judge: a process of Node that is asked line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use portcullis_conformance::environment;
use serde_json::{Value, json};

use crate::key_sets::Keys;
use crate::{AUDIENCE, Batch, ISSUER, Verdict};

/// The process. It ends when its input does.
pub(crate) struct Node {
    process: Child,
    input: Option<ChildStdin>,
    /// Who waits for the next line, in the order of asking.
    waiting: Sender<Sender<String>>,
}

/// Answers to come.
pub(crate) struct Pending(Receiver<String>);

impl Node {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/judge.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .env(
                "PORTCULLIS_NODE_MODULES",
                environment::node_modules().unwrap(),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node 20 or newer is needed");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (waiting, queue) = channel::<Sender<String>>();
        std::thread::spawn(move || {
            for line in output.lines() {
                let (Ok(line), Ok(asked)) = (line, queue.recv()) else {
                    return;
                };
                // Who asked may have failed meanwhile.
                let _ = asked.send(line);
            }
        });
        Self {
            process,
            input,
            waiting,
        }
    }

    /// Asks about a batch.
    pub(crate) fn ask(&mut self, batch: &Batch) -> Pending {
        let tokens = batch.tokens.iter();
        let tokens: Vec<String> = tokens
            .map(|token| portcullis_jose::encode_base64url(&token.text))
            .collect();
        let mut question = json!({
            "tokens": tokens,
            "options": {
                "issuer": ISSUER, "audience": AUDIENCE, "algorithms": batch.algorithms, "clockTolerance": 0, "requiredClaims": ["exp"],
            },
        });
        match &batch.keys {
            Keys::Set(text) => question["set"] = json!(text),
            Keys::Secret(secret) => {
                question["secret"] = json!(portcullis_jose::encode_base64url(secret));
            }
        }
        let (sender, receiver) = channel();
        self.waiting.send(sender).expect("Node ended");
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{question}").expect("Node ended");
        Pending(receiver)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

impl Pending {
    /// The verdict on each token.
    pub(crate) fn answers(self) -> Vec<Verdict> {
        let line = self.0.recv().expect("Node ended");
        let Ok(Value::Array(verdicts)) = serde_json::from_str(&line) else {
            panic!("no verdicts: {line}");
        };
        let verdict = |mut verdict: Value| match (verdict["claims"].take(), verdict["error"].take())
        {
            (Value::String(claims), _) => Ok(serde_json::from_str(&claims).unwrap_or_default()),
            (_, Value::String(why)) => Err(why),
            _ => panic!("no verdict: {line}"),
        };
        verdicts.into_iter().map(verdict).collect()
    }
}

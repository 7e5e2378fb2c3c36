//! The report of a run as JUnit's XML, which CI systems read: a suite a file, a test case a case.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use super::report::{CaseReport, Report, Verdict};

impl Report {
    /// The report as JUnit's XML. A mistake in a file is an error of that file's suite.
    ///
    /// # Errors
    /// When it can't be written as XML.
    pub fn to_junit(&self) -> Result<String, String> {
        let mut suites: BTreeMap<&Path, (Vec<TestCase>, Duration)> = BTreeMap::new();
        for problem in &self.problems {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("mistake");
            status.set_message(problem.message.as_str());
            status.set_description(problem.to_string());
            let name = format!("line {}", problem.line);
            let case = TestCase::new(name, status);
            suites.entry(&problem.file).or_default().0.push(case);
        }
        for case in &self.cases {
            let (cases, time) = suites.entry(&case.file).or_default();
            cases.push(test_case(case));
            *time = time.saturating_add(case.elapsed);
        }
        let mut xml = Xml::new("host-test");
        xml.set_time(self.elapsed);
        for (file, (cases, time)) in suites {
            let mut suite = TestSuite::new(file.display().to_string());
            suite.set_time(time);
            suite.add_test_cases(cases);
            xml.add_test_suite(suite);
        }
        xml.to_string().map_err(|error| error.to_string())
    }
}

fn test_case(case: &CaseReport) -> TestCase {
    let status = match case.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("mismatch");
            if let Some(first) = case.mismatches.first() {
                let (what, expected, got) = (&first.what, &first.expected, &first.got);
                status.set_message(format!("{what}: expected {expected}, got {got}"));
            }
            let mut text = String::new();
            for mismatch in &case.mismatches {
                // Writing to a text can't fail.
                let _ = writeln!(
                    text,
                    "{}:{}: {}\n  expected  {}\n  got       {}",
                    case.file.display(),
                    mismatch.line,
                    mismatch.what,
                    mismatch.expected,
                    mismatch.got
                );
            }
            status.set_description(text);
            status
        }
    };
    let mut test = TestCase::new(case.name.as_str(), status);
    test.set_classname(case.file.display().to_string());
    test.set_time(case.elapsed);
    test.extra
        .insert("line".into(), case.line.to_string().into());
    if case.verdict == Verdict::Failed && !case.logs.is_empty() {
        let lines = case.logs.iter();
        let lines = lines.map(|line| format!("{:5} {}", line.level.name(), line.message));
        test.set_system_out(lines.collect::<Vec<_>>().join("\n"));
    }
    test
}

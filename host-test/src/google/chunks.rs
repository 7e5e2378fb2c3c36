//! `body_chunking_plan`: how the bodies of a test are cut into pieces.

use crate::cases::document::Problems;

use super::fields::Message;

/// How bodies are cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    /// So many pieces; the last one is longer when it does not come out even.
    Number(usize),
    /// Bytes of a piece; the last one is shorter.
    Size(usize),
}

impl Plan {
    pub(super) fn read(message: &mut Message<'_>, problems: &mut Problems) -> Option<Self> {
        let one = message.oneof(&["num_chunks", "chunk_size"], problems)?;
        let number = match one.name {
            "num_chunks" => i64::from(one.integer::<i32>(problems)?),
            _ => one.integer::<i64>(problems)?,
        };
        match usize::try_from(number).ok().filter(|number| *number > 0) {
            Some(number) if one.name == "num_chunks" => Some(Self::Number(number)),
            Some(size) => Some(Self::Size(size)),
            None => {
                problems.add(one.at, format!("`{}` must be above zero", one.name));
                None
            }
        }
    }

    /// The pieces; never none.
    pub(super) fn cut(self, body: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let (size, most) = match self {
            Self::Size(size) => (size, usize::MAX),
            Self::Number(number) => (body.len().checked_div(number).unwrap_or(0), number),
        };
        if size == 0 {
            let length = body.len();
            return Err(format!("{length} bytes can't be cut into {most} chunks"));
        }
        let mut chunks = Vec::new();
        let mut rest = body;
        while rest.len() > size && chunks.len() < most.saturating_sub(1) {
            let (chunk, behind) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            chunks.push(chunk.to_vec());
            rest = behind;
        }
        chunks.push(rest.to_vec());
        Ok(chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_as_planned() {
        let cut = |plan: Plan, body: &str| {
            let chunks = plan.cut(body.as_bytes())?;
            let text = |chunk: Vec<u8>| String::from_utf8_lossy(&chunk).into_owned();
            Ok::<_, String>(chunks.into_iter().map(text).collect::<Vec<_>>())
        };
        assert_eq!(
            cut(Plan::Number(3), "12345678").unwrap(),
            ["12", "34", "5678"]
        );
        assert_eq!(cut(Plan::Number(1), "12").unwrap(), ["12"]);
        assert_eq!(cut(Plan::Size(2), "1234").unwrap(), ["12", "34"]);
        assert_eq!(cut(Plan::Size(3), "1234").unwrap(), ["123", "4"]);
        assert_eq!(cut(Plan::Size(3), "").unwrap(), [""]);
        assert!(cut(Plan::Number(3), "12").is_err());
    }
}

//! HTTP/1 heads as test files write them, turned into the fields that a filter sees: `:path` and its like, lower-case names.

use crate::http::Headers;

use super::target;

/// Request or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Request,
    Response,
}

/// Parses a head: its first line, then the fields. What follows an empty line is not looked at.
pub(super) fn parse(content: &[u8], head: Head) -> Result<Headers, String> {
    let mut lines = content
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip_while(|line| line.is_empty());
    let first = lines.next().ok_or("the head is empty")?;
    let first = std::str::from_utf8(first).map_err(|_| "the first line is no text")?;
    let mut fields = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        fields.push(field(line)?);
    }
    let mut headers = Headers::joined();
    match head {
        Head::Request => request(first, &mut fields, &mut headers)?,
        Head::Response => response(first, &mut headers)?,
    }
    for (name, value) in fields {
        headers.add(name, value);
    }
    Ok(headers)
}

fn field(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let shown = String::from_utf8_lossy(line);
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, rest) = colon
        .and_then(|colon| line.split_at_checked(colon))
        .ok_or_else(|| format!("{shown:?} is no header field"))?;
    if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
        return Err(format!("{shown:?} is no header field"));
    }
    let value = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii();
    Ok((name.to_ascii_lowercase(), value.to_vec()))
}

fn request(
    line: &str,
    fields: &mut Vec<(Vec<u8>, Vec<u8>)>,
    headers: &mut Headers,
) -> Result<(), String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [method, uri, version] = words.as_slice() else {
        return Err(format!("{line:?} is no request line"));
    };
    if !version.starts_with("HTTP/") {
        return Err(format!("{line:?} is no request line"));
    }
    headers.add(":method", method);
    let host = fields.iter().find(|(name, _)| name == b"host");
    let host = host.map(|(_, value)| value.clone());
    if let Some(absolute) = target::absolute(uri) {
        headers.add(":scheme", absolute.scheme);
        headers.add(":path", absolute.path);
        headers.add(":authority", absolute.authority);
        fields.retain(|(name, _)| name != b"host");
    } else if target::is_origin_form(uri) {
        headers.add(":path", uri);
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            headers.add(":authority", host);
            fields.retain(|(name, _)| name != b"host");
        }
    } else {
        return Err(format!(
            "{uri:?} is neither a canonical path nor an absolute URI"
        ));
    }
    Ok(())
}

fn response(line: &str, headers: &mut Headers) -> Result<(), String> {
    let mut words = line.split_ascii_whitespace();
    let version = words.next().unwrap_or_default();
    let status = words.next().unwrap_or_default();
    let digits = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    if !version.starts_with("HTTP/") || !digits {
        return Err(format!("{line:?} is no status line"));
    }
    headers.add(":status", status);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content: &str, head: Head) -> Result<Vec<String>, String> {
        let headers = parse(content.as_bytes(), head)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(headers
            .iter()
            .map(|(name, value)| format!("{}={}", text(name), text(value)))
            .collect())
    }

    #[test]
    fn heads_become_fields() {
        let request = shown(
            "\r\nGET /a?b=c HTTP/1.1\r\nHost: h.example:1\r\nX-A: 1 \r\nx-a:2\r\n\r\nbody: no",
            Head::Request,
        );
        let wanted = [
            ":authority=h.example:1",
            ":method=GET",
            ":path=/a?b=c",
            "x-a=1, 2",
        ];
        assert_eq!(request.unwrap(), wanted);
        let absolute = shown(
            "GET HTTPS://H.example:443/a/../b HTTP/1.1\nHost: other",
            Head::Request,
        );
        let wanted = [
            ":authority=h.example",
            ":method=GET",
            ":path=/b",
            ":scheme=https",
        ];
        assert_eq!(absolute.unwrap(), wanted);
        assert_eq!(
            shown("HTTP/1.1 204\nA: b", Head::Response).unwrap(),
            [":status=204", "a=b"]
        );
    }

    #[test]
    fn what_is_no_head_is_told() {
        for (content, head, words) in [
            ("", Head::Request, "empty"),
            ("GET /", Head::Request, "no request line"),
            ("GET / HTTP/1.1 x", Head::Request, "no request line"),
            ("GET a HTTP/1.1", Head::Request, "neither"),
            ("GET /a/../b HTTP/1.1", Head::Request, "neither"),
            ("GET / HTTP/1.1\nhost", Head::Request, "no header field"),
            ("GET / HTTP/1.1\na b: c", Head::Request, "no header field"),
            ("HTTP/1.1 2000", Head::Response, "no status line"),
            ("HTTP/1.1", Head::Response, "no status line"),
        ] {
            let message = parse(content.as_bytes(), head).unwrap_err();
            assert!(message.contains(words), "{content:?}: {message}");
        }
    }
}

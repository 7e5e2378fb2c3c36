//! Target `metadata`: whatever comes as an issuer's metadata, nothing panics, and what is taken from it stands in it.

use portcullis_jose::IssuerMetadata;
use serde_json::Value;

/// Checks one input; true if it was taken.
pub fn run(data: &[u8]) -> bool {
    let Ok(metadata) = IssuerMetadata::parse(data) else {
        return false;
    };
    assert!(data.len() <= IssuerMetadata::MOST_BYTES);
    let lax: Value = serde_json::from_slice(data).expect("we are stricter than serde_json");
    assert_eq!(lax["issuer"], metadata.issuer());
    assert_eq!(lax["jwks_uri"], metadata.jwks_uri());
    // One document, one reading: written anew it says the same.
    let anew = serde_json::to_vec(&lax).expect("a document");
    if anew.len() <= IssuerMetadata::MOST_BYTES {
        assert_eq!(IssuerMetadata::parse(&anew).as_ref(), Ok(&metadata));
    }
    true
}

#[cfg(test)]
mod tests {
    /// What the names of the corpus promise, and that nothing in it panics.
    #[test]
    fn the_corpus_holds() {
        let (mut files, mut taken) = (0, 0);
        for (name, data) in crate::corpus("metadata") {
            let good = super::run(&data);
            assert!(!(name.starts_with("good-") && !good), "{name}");
            assert!(!(name.starts_with("refuse-") && good), "{name}");
            files += 1;
            taken += u32::from(good);
        }
        println!("metadata: {files} files, {taken} taken");
    }
}

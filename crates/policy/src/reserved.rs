//! Words that no variable may have, in every build: a policy must mean the same whether conditions are built in or not.

/// Words that CEL keeps for itself.
#[must_use]
pub fn is_reserved_word(word: &str) -> bool {
    matches!(
        word,
        "as" | "break"
            | "const"
            | "continue"
            | "else"
            | "false"
            | "for"
            | "function"
            | "if"
            | "import"
            | "in"
            | "let"
            | "loop"
            | "namespace"
            | "null"
            | "package"
            | "return"
            | "true"
            | "var"
            | "void"
            | "while"
    )
}

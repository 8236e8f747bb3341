//! Scenario layer: errors of CSV files in words for people.

/// The line that a CSV error is about, if it is about one, and what is wrong.
pub(super) fn csv_fault(error: &csv::Error) -> (Option<u64>, String) {
    let line = error.position().map(csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::Io(error) => format!("cannot be read: {error}"),
        csv::ErrorKind::Utf8 { .. } => "a byte that is not UTF-8 text".to_owned(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let columns = if *len == 1 { "column" } else { "columns" };
            format!("{len} {columns}, but the header has {expected_len}")
        }
        _ => format!("cannot be read: {error}"),
    };
    (line, message)
}

/// The same after the name of the file.
pub(super) fn csv_sentence(file: &str, error: &csv::Error) -> String {
    match csv_fault(error) {
        (Some(line), message) => format!("{file}, line {line}: {message}"),
        (None, message) => format!("{file} {message}"),
    }
}

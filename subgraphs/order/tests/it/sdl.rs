//! The schema file is the code's.

use std::path::Path;

#[test]
fn schema_file_is_what_the_code_serves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/order.graphql");
    kopitiam_kit::graphql::check_schema_file(&path, &kopitiam_order::sdl()).unwrap();
}

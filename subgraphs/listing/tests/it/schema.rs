//! The SDL file that composition reads is the one that the code prints.

use std::path::Path;

#[test]
fn the_schema_file_is_what_the_code_prints() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/listing.graphql");
    kopitiam_kit::graphql::check_schema_file(&file, &kopitiam_listing::app::sdl()).unwrap();
}

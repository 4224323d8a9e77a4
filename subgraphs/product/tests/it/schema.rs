//! `schema/product.graphql` is what the code prints; `UPDATE_SCHEMA=1` writes it anew.

use std::path::Path;

#[test]
fn the_schema_file_is_what_the_code_prints() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/product.graphql");
    kopitiam_kit::graphql::check_schema_file(&file, &kopitiam_product::sdl()).unwrap();
}

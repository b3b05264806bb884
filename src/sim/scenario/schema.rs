//! The JSON Schema of scenario files, for editors. It follows from the very types that the parser fills, so that the
//! two cannot part. What only several keys together show (a node that does not exist, a fault after the end) it does
//! not know.

use std::string::String;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use super::file::File;

/// The schema, as JSON.
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with_transform(WithoutNull);
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    schema.insert("title".into(), "kvsim scenario".into());
    serde_json::to_string_pretty(&schema).expect("its maps have text for keys")
}

/// TOML has no null: what may be left out is left out.
#[derive(Clone, Debug)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
        }
        if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type") != Some(&"null".into()));
        }
        if object.get("default") == Some(&Value::Null) {
            object.remove("default");
        }
    }
}

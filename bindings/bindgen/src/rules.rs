//! What may not cross the border, because some language of the three breaks on it.

use uniffi_bindgen::ComponentInterface;
use uniffi_bindgen::interface::{AsType, Type};

use crate::face;

/// Few enough calls to learn; the traits a shell implements are not among them.
pub(crate) const MOST_EXPORTS: usize = 60;
/// A field `message` does not compile in Kotlin's exceptions; methods of these names collide with `AutoCloseable` and with
/// what the generated objects have.
const FORBIDDEN_FIELDS: &[&str] = &["message"];
const FORBIDDEN_METHODS: &[&str] = &["close", "destroy", "use", "clone", "free"];

/// What is not as it must be.
pub(crate) fn broken(interface: &ComponentInterface) -> Vec<String> {
    let mut broken = Vec::new();
    for function in interface.function_definitions() {
        if !function.throws() {
            broken.push(format!("function {}: returns no result; a panic would end the app", function.name()));
        }
    }
    for object in interface.object_definitions() {
        let asynchronous_trait = object.has_callback_interface() && object.has_async_method();
        if asynchronous_trait {
            broken.push(format!("trait {}: asynchronous; it does not compile in Swift 6", object.name()));
        }
        for made in object.constructors() {
            if !made.throws() {
                broken.push(format!("{}.{}: returns no result", object.name(), made.name()));
            }
            if made.is_async() && made.is_primary_constructor() {
                broken.push(format!("{}.{}: an asynchronous primary constructor", object.name(), made.name()));
            }
        }
        for method in object.methods() {
            if !method.throws() {
                broken.push(format!("{}.{}: returns no result", object.name(), method.name()));
            }
            if FORBIDDEN_METHODS.contains(&method.name()) {
                broken.push(format!("{}.{}: the name collides in Kotlin", object.name(), method.name()));
            }
        }
    }
    for record in interface.record_definitions() {
        for field in record.fields() {
            forbidden_field(&mut broken, record.name(), field.name());
        }
    }
    for choice in interface.enum_definitions() {
        for field in choice.variants().iter().flat_map(|variant| variant.fields()) {
            forbidden_field(&mut broken, choice.name(), field.name());
        }
    }
    for found in interface.iter_local_types() {
        forbidden_type(&mut broken, found);
    }
    if face::exports(interface) > MOST_EXPORTS {
        broken.push(format!("more than {MOST_EXPORTS} exports"));
    }
    broken.sort();
    broken.dedup();
    broken
}

fn forbidden_field(broken: &mut Vec<String>, owner: &str, field: &str) {
    if FORBIDDEN_FIELDS.contains(&field) {
        broken.push(format!("{owner}.{field}: the name does not compile in Kotlin"));
    }
}

/// Narrow numbers are read wrongly by some versions of Android's runtime; time types need newer Androids; floats are no
/// money.
fn forbidden_type(broken: &mut Vec<String>, found: &Type) {
    let found = found.as_type();
    let forbidden = matches!(
        found,
        Type::UInt8
            | Type::Int8
            | Type::UInt16
            | Type::Int16
            | Type::Float32
            | Type::Float64
            | Type::Timestamp
            | Type::Duration
            | Type::CallbackInterface { .. }
    );
    if forbidden {
        broken.push(format!("the type {} crosses", face::type_text(&found)));
    }
}

//! The library's public face as text: one line a name, sorted, so that a difference is a difference of the API.

use uniffi_bindgen::ComponentInterface;
use uniffi_bindgen::interface::{Argument, Field, Type};

/// What fails on purpose, for tests, begins with this: no shell has it.
const PLANTED: &str = "planted_";

/// How many calls a shell can make. What it implements (a trait's methods) is called by the library: not counted.
pub(crate) fn exports(interface: &ComponentInterface) -> usize {
    let called = interface.object_definitions().iter().filter(|object| !object.has_callback_interface());
    let of_objects: usize = called.map(|object| object.constructors().len() + object.methods().len()).sum();
    interface.function_definitions().iter().filter(|function| !function.name().starts_with(PLANTED)).count()
        + of_objects
}

/// Names and signatures.
pub(crate) fn text(interface: &ComponentInterface) -> String {
    let mut lines = Vec::new();
    for function in interface.function_definitions() {
        let signature =
            signature(function.is_async(), &function.arguments(), function.return_type(), function.throws_type());
        lines.push(format!("function {}{signature}", function.name()));
    }
    for object in interface.object_definitions() {
        let kind = if object.has_callback_interface() { "trait" } else { "object" };
        for made in object.constructors() {
            let signature = signature(made.is_async(), &made.arguments(), None, made.throws_type());
            lines.push(format!("{kind} {}: constructor {}{signature}", object.name(), made.name()));
        }
        for method in object.methods() {
            let signature =
                signature(method.is_async(), &method.arguments(), method.return_type(), method.throws_type());
            lines.push(format!("{kind} {}: {}{signature}", object.name(), method.name()));
        }
    }
    for record in interface.record_definitions() {
        lines.extend(
            record
                .fields()
                .iter()
                .enumerate()
                .map(|(place, field)| format!("record {} {place:02}: {}", record.name(), field_text(field))),
        );
    }
    for choice in interface.enum_definitions() {
        lines.extend(choice.variants().iter().enumerate().map(|(place, variant)| {
            let fields: Vec<String> = variant.fields().iter().map(field_text).collect();
            format!("enum {} {place:02}: {}({})", choice.name(), variant.name(), fields.join(", "))
        }));
    }
    lines.sort();
    lines.push(String::new());
    lines.join("\n")
}

fn signature(is_async: bool, arguments: &[&Argument], returns: Option<&Type>, throws: Option<&Type>) -> String {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| format!("{}: {}", argument.name(), type_text(&argument_type(argument))))
        .collect();
    let returns = returns.map(|returns| format!(" -> {}", type_text(returns))).unwrap_or_default();
    let throws = throws.map(|throws| format!(" throws {}", type_text(throws))).unwrap_or_default();
    format!("{}({}){returns}{throws}", if is_async { " async" } else { "" }, arguments.join(", "))
}

fn argument_type(argument: &Argument) -> Type {
    uniffi_bindgen::interface::AsType::as_type(argument)
}

fn field_text(field: &Field) -> String {
    let default = if field.default_value().is_some() { " = default" } else { "" };
    format!("{}: {}{default}", field.name(), type_text(&uniffi_bindgen::interface::AsType::as_type(field)))
}

/// A type in words that are nobody's language.
pub(crate) fn type_text(found: &Type) -> String {
    match found {
        Type::Optional { inner_type } => format!("{}?", type_text(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", type_text(inner_type)),
        Type::Map { key_type, value_type } => format!("[{}: {}]", type_text(key_type), type_text(value_type)),
        Type::Object { name, .. }
        | Type::Record { name, .. }
        | Type::Enum { name, .. }
        | Type::CallbackInterface { name, .. }
        | Type::Custom { name, .. } => name.clone(),
        plain => format!("{plain:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_implements_and_what_is_planted_is_no_call_it_makes() {
        let interface = ComponentInterface::from_webidl(
            "namespace takings { [Throws=Bad] string text(); [Throws=Bad] void planted_panic(); };
             [Error] enum Bad { \"Worse\" };
             interface Till { [Throws=Bad] constructor(); [Throws=Bad] void tick(); };
             [Trait, WithForeign] interface Reader { [Throws=Bad] void start(); [Throws=Bad] void cancel(); };",
            "takings",
        )
        .unwrap();
        assert_eq!(exports(&interface), 3);
        assert!(text(&interface).contains("trait Reader: start() throws Bad"), "{}", text(&interface));
    }
}

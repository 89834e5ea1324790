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
/// Words that Kotlin, Swift or Python keeps for itself: the name would be quoted in one language and another in the next
/// (Python gets an underscore). Not `open` and `operator`: Swift takes both as names.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "and", "any", "as", "assert", "associatedtype", "async", "await", "break", "case", "catch", "class", "continue", "def",
    "default", "defer", "deinit", "del", "do", "elif", "else", "enum", "except", "extension", "fallthrough", "false",
    "fileprivate", "finally", "for", "from", "fun", "func", "global", "guard", "if", "import", "in", "init", "inout",
    "interface", "internal", "is", "lambda", "let", "nil", "none", "nonlocal", "not", "null", "object", "or", "package",
    "pass", "precedencegroup", "private", "protocol", "public", "raise", "repeat", "rethrows", "return", "self", "static",
    "struct", "subscript", "super", "switch", "this", "throw", "throws", "true", "try", "typealias", "typeof", "val", "var",
    "when", "where", "while", "with", "yield", "Any", "False", "None", "Self", "True",
];

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
    broken.extend(reserved(interface));
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

/// Names that are words of a language. A choice called `Default` is `default` in Swift; an error's choices keep their capitals.
fn reserved(interface: &ComponentInterface) -> Vec<String> {
    let mut names: Vec<(String, String)> = Vec::new();
    let mut add = |owner: &str, name: &str| names.push((owner.to_owned(), name.to_owned()));
    for function in interface.function_definitions() {
        add("function", function.name());
        function.arguments().iter().for_each(|argument| add(function.name(), argument.name()));
    }
    for object in interface.object_definitions() {
        add("object", object.name());
        for made in object.constructors() {
            add(object.name(), made.name());
            made.arguments().iter().for_each(|argument| add(object.name(), argument.name()));
        }
        for method in object.methods() {
            add(object.name(), method.name());
            method.arguments().iter().for_each(|argument| add(method.name(), argument.name()));
        }
    }
    for record in interface.record_definitions() {
        add("record", record.name());
        record.fields().iter().for_each(|field| add(record.name(), field.name()));
    }
    for choice in interface.enum_definitions() {
        add("enum", choice.name());
        let is_error = interface.is_name_used_as_error(choice.name());
        for variant in choice.variants() {
            let lower = variant.name().to_ascii_lowercase();
            add(choice.name(), if is_error { variant.name() } else { &lower });
            variant.fields().iter().for_each(|field| add(variant.name(), field.name()));
        }
    }
    names.retain(|(_, name)| RESERVED.contains(&name.as_str()));
    names.into_iter().map(|(owner, name)| format!("{owner}.{name}: a word of Kotlin, Swift or Python")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is broken in an interface with a sound part and this one.
    fn with(planted: &str) -> Vec<String> {
        let sound = "[Error] interface Bad { Worse(string detail); };
             dictionary Sale { i64 amount_minor; string? operator; sequence<u32> counts; bytes ciphertext; };
             interface Till { [Throws=Bad] constructor(); [Throws=Bad] void tick(Sale sale); };";
        let namespace = if planted.contains("namespace") { "" } else { "namespace takings {};" };
        let text = format!("{namespace} {sound} {planted}");
        broken(
            &ComponentInterface::from_webidl(&text, "takings").unwrap_or_else(|error| panic!("{planted}: {error:#}")),
        )
    }

    fn found(planted: &str, complaint: &str) {
        assert_eq!(with(planted), [complaint], "{planted}");
    }

    #[test]
    fn a_sound_interface_breaks_no_rule() {
        assert_eq!(with(""), [""; 0]);
    }

    #[test]
    fn a_type_that_some_language_reads_wrongly_is_found_however_deep() {
        for (written, said) in [
            ("u8", "uint8"),
            ("i8", "int8"),
            ("u16", "uint16"),
            ("i16", "int16"),
            ("float", "float32"),
            ("double", "float64"),
            ("timestamp", "timestamp"),
            ("duration", "duration"),
        ] {
            let complaint = format!("the type {said} crosses");
            for place in ["{}", "{}?", "sequence<{}>", "sequence<{}>?", "record<string, {}>"] {
                let deep = place.replace("{}", written);
                found(&format!("dictionary Narrow {{ {deep} count; }};"), &complaint);
                found(&format!("interface Narrow {{ [Throws=Bad] {deep} count(); }};"), &complaint);
                found(&format!("interface Narrow {{ [Throws=Bad] void count({deep} value); }};"), &complaint);
                found(&format!("[Enum] interface Narrow {{ Counted({deep} value); }};"), &complaint);
            }
        }
    }

    #[test]
    fn a_name_that_collides_in_kotlin_is_found() {
        found("dictionary Note { string message; };", "Note.message: the name does not compile in Kotlin");
        found(
            "[Error] interface Other { Odd(string message); };",
            "Other.message: the name does not compile in Kotlin",
        );
        for method in FORBIDDEN_METHODS {
            found(
                &format!("interface Lane {{ [Throws=Bad] void {method}(); }};"),
                &format!("Lane.{method}: the name collides in Kotlin"),
            );
        }
    }

    #[test]
    fn a_call_without_a_result_is_found() {
        found("namespace takings { string text(); };", "function text: returns no result; a panic would end the app");
        found("interface Lane { void start(); };", "Lane.start: returns no result");
        found("interface Lane { [Async] void start(); };", "Lane.start: returns no result");
        found("interface Lane { constructor(); };", "Lane.new: returns no result");
        found("[Trait, WithForeign] interface Lane { void start(); };", "Lane.start: returns no result");
    }

    #[test]
    fn what_does_not_compile_asynchronously_is_found() {
        found(
            "[Trait, WithForeign] interface Lane { [Async, Throws=Bad] void start(); };",
            "trait Lane: asynchronous; it does not compile in Swift 6",
        );
        found(
            "interface Lane { [Async, Throws=Bad] constructor(); };",
            "Lane.new: an asynchronous primary constructor",
        );
    }

    #[test]
    fn a_word_of_a_language_is_found_wherever_it_stands() {
        // One of each language, and one that all three keep.
        for word in ["val", "guard", "lambda", "in"] {
            let said = |owner: &str| format!("{owner}.{word}: a word of Kotlin, Swift or Python");
            found(&format!("dictionary Note {{ string {word}; }};"), &said("Note"));
            found(&format!("[Enum] interface Choice {{ One(string {word}); }};"), &said("One"));
            found(&format!("interface Lane {{ [Throws=Bad] void {word}(); }};"), &said("Lane"));
            found(&format!("interface Lane {{ [Throws=Bad] void start(string {word}); }};"), &said("start"));
            found(&format!("interface Lane {{ [Throws=Bad] constructor(string {word}); }};"), &said("Lane"));
            found(&format!("namespace takings {{ [Throws=Bad] string {word}(); }};"), &said("function"));
            found(&format!("namespace takings {{ [Throws=Bad] void text(string {word}); }};"), &said("text"));
        }
        found("enum Choice { \"Default\" };", "Choice.default: a word of Kotlin, Swift or Python");
        found("dictionary Any { string note; };", "record.Any: a word of Kotlin, Swift or Python");
        // An error's choices are types.
        let planted =
            "[Error] interface Other { Internal(string note); }; interface Lane { [Throws=Other] void start(); };";
        assert_eq!(with(planted), [""; 0]);
    }

    #[test]
    fn more_calls_than_anyone_learns_are_found() {
        let calls = |count: usize| (0..count).map(|n| format!("[Throws=Bad] void call{n}();")).collect::<String>();
        // The sound part has two.
        assert_eq!(with(&format!("interface Lane {{ {} }};", calls(MOST_EXPORTS - 2))), [""; 0]);
        found(&format!("interface Lane {{ {} }};", calls(MOST_EXPORTS - 1)), "more than 60 exports");
    }
}

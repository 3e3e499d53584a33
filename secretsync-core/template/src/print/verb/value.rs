//! Which format a value takes under a verb, element by element in lists and maps.

use super::Printer;
use crate::error::Failure;
use crate::value::{ElementType, List, Object, Value};

impl Printer<'_> {
    /// An argument of its own.
    pub(super) fn argument(&mut self, value: &Value, verb: char) -> Result<(), Failure> {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (value, 'T') => self.text(value.type_name().as_bytes(), 's'),
            // It is for errors only, which no value is.
            (Value::List(_) | Value::Map(_) | Value::StringMap(_) | Value::Object(_), 'w') => {
                self.bad_verb(value, verb)
            }
            (value, verb) => self.value(value, verb, 0),
        }
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) -> Result<(), Failure> {
        match value {
            Value::Nil if depth > 0 && self.flags.go_syntax => self.write(b"interface {}(nil)"),
            Value::Nil if depth > 0 => self.write(b"<nil>"),
            Value::Bool(flag) if matches!(verb, 't' | 'v') => self.pad(if *flag { b"true" } else { b"false" }),
            Value::Int(number) | Value::Int64(number) => self.number(value, i128::from(*number), verb),
            Value::Byte(number) => self.number(value, i128::from(*number), verb),
            Value::Uint(number) => self.number(value, i128::from(*number), verb),
            Value::Float(number) => self.floating(value, *number, verb),
            Value::Complex(real, imaginary) => self.complex(value, *real, *imaginary, verb),
            Value::Bytes(text) if is_text_verb(verb) => self.text(text, verb),
            Value::Object(object) if object.prints_text() && is_text_verb(verb) && !self.is_bare(object) => {
                self.text(object.text().as_bytes(), verb)
            }
            Value::Object(object) if !object.fields().is_empty() => self.structure(object, verb),
            Value::List(list) => self.list(value, list, verb, depth),
            Value::Map(map) => {
                self.budget.descend(depth)?;
                self.open_map(value)?;
                for (index, (key, value)) in map.entries().into_iter().enumerate() {
                    self.separator(index)?;
                    self.value(&Value::Bytes(key), verb, depth + 1)?;
                    self.write(b":")?;
                    self.value(&value, verb, depth + 1)?;
                }
                self.close_map()
            }
            Value::StringMap(map) => {
                self.open_map(value)?;
                for (index, (key, value)) in map.iter().enumerate() {
                    self.separator(index)?;
                    self.value(&Value::Bytes(key.clone()), verb, depth + 1)?;
                    self.write(b":")?;
                    self.value(&Value::Bytes(value.clone()), verb, depth + 1)?;
                }
                self.close_map()
            }
            Value::Bool(_) | Value::Bytes(_) | Value::Nil | Value::Object(_) => self.bad_verb(value, verb),
        }
    }

    fn list(&mut self, value: &Value, list: &List, verb: char, depth: usize) -> Result<(), Failure> {
        self.budget.descend(depth)?;
        let go_syntax = self.flags.go_syntax;
        if go_syntax {
            self.write(value.type_name().as_bytes())?;
            if list.is_absent() {
                return self.write(b"(nil)");
            }
        }
        self.write(if go_syntax { b"{" } else { b"[" })?;
        for (index, item) in list.items().iter().enumerate() {
            self.separator(index)?;
            // A nil element of `[][]interface {}` is a nil slice, which prints as an empty one.
            let absent = Value::List(List::absent(ElementType::Any));
            let item = if list.element() == ElementType::List && matches!(item, Value::Nil) { &absent } else { item };
            self.value(item, verb, depth + 1)?;
        }
        self.write(if go_syntax { b"}" } else { b"]" })
    }

    /// Whether an object with a `String` method shows its fields all the same.
    fn is_bare(&self, object: &Object) -> bool {
        self.flags.go_syntax && !object.fields().is_empty()
    }

    /// `{a b}`, with names under `%+v`, with names and type under `%#v`; a pointer begins with `&`.
    fn structure(&mut self, object: &Object, verb: char) -> Result<(), Failure> {
        let go_syntax = self.flags.go_syntax;
        let (pointer, name) = match object.type_name().strip_prefix('*') {
            Some(name) => ("&", name),
            None => ("", object.type_name()),
        };
        self.write(pointer.as_bytes())?;
        if go_syntax {
            self.write(name.as_bytes())?;
        }
        self.write(b"{")?;
        for (index, (name, value)) in object.fields().into_iter().enumerate() {
            self.separator(index)?;
            if go_syntax || self.flags.names {
                self.write(name.as_bytes())?;
                self.write(b":")?;
            }
            self.value(&value, verb, 1)?;
        }
        self.write(b"}")
    }

    fn open_map(&mut self, value: &Value) -> Result<(), Failure> {
        if self.flags.go_syntax {
            self.write(value.type_name().as_bytes())?;
            return self.write(b"{");
        }
        self.write(b"map[")
    }

    fn close_map(&mut self) -> Result<(), Failure> {
        self.write(if self.flags.go_syntax { b"}" } else { b"]" })
    }

    fn separator(&mut self, index: usize) -> Result<(), Failure> {
        self.budget.step(1)?;
        match index {
            0 => Ok(()),
            _ if self.flags.go_syntax => self.write(b", "),
            _ => self.write(b" "),
        }
    }

    fn number(&mut self, value: &Value, number: i128, verb: char) -> Result<(), Failure> {
        match verb {
            'v' if self.flags.go_syntax && matches!(value, Value::Byte(_) | Value::Uint(_)) => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                let result = self.integer(number, 16, 'v');
                self.flags.sharp = sharp;
                result
            }
            'd' | 'v' => self.integer(number, 10, verb),
            'b' => self.integer(number, 2, verb),
            'o' | 'O' => self.integer(number, 8, verb),
            'x' | 'X' => self.integer(number, 16, verb),
            'c' => self.character(number, false),
            'q' => self.character(number, true),
            'U' => self.code_point(number),
            _ => self.bad_verb(value, verb),
        }
    }

    fn floating(&mut self, value: &Value, number: f64, verb: char) -> Result<(), Failure> {
        match verb {
            'v' => self.float(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float(number, verb, None),
            'e' | 'E' => self.float(number, verb, Some(6)),
            'f' | 'F' => self.float(number, 'f', Some(6)),
            _ => self.bad_verb(value, verb),
        }
    }

    fn complex(&mut self, value: &Value, real: f64, imaginary: f64, verb: char) -> Result<(), Failure> {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F') {
            return self.bad_verb(value, verb);
        }
        let plus = self.flags.plus;
        self.write(b"(")?;
        self.floating(value, real, verb)?;
        self.flags.plus = true;
        self.floating(value, imaginary, verb)?;
        self.flags.plus = plus;
        self.write(b"i)")
    }

    /// `%!d(string=…)`: the verb does not fit the type.
    fn bad_verb(&mut self, value: &Value, verb: char) -> Result<(), Failure> {
        self.mistake(verb)?;
        if matches!(value, Value::Nil) {
            return self.write(b"(<nil>)");
        }
        self.write(b"(")?;
        self.write(value.type_name().as_bytes())?;
        self.write(b"=")?;
        match value {
            // No `String` method is called here.
            Value::Object(object) if !object.fields().is_empty() => self.structure(object, 'v')?,
            value => self.value(value, 'v', 0)?,
        }
        self.write(b")")
    }

    /// `%!` and the verb.
    pub(super) fn mistake(&mut self, verb: char) -> Result<(), Failure> {
        self.write(b"%!")?;
        self.write(verb.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

fn is_text_verb(verb: char) -> bool {
    matches!(verb, 's' | 'v' | 'q' | 'x' | 'X')
}

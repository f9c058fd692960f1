//! Decimals as TensorFlow Serving writes them: with six digits where these are enough to read the
//! same number again, else with as many as that takes.
//! Source: TensorFlow Serving, util/json_tensor.cc, `WriteDecimal`; C's `%g`.

use std::fmt::Write;

const FEW_DIGITS: usize = 6;
const DIGITS_OF_FLOAT: usize = 9;
const DIGITS_OF_DOUBLE: usize = 17;

pub fn put_float(text: &mut String, value: f32) {
    let is_same = |read: f64| read as f32 == value;
    put(text, f64::from(value), DIGITS_OF_FLOAT, is_same);
}

pub fn put_double(text: &mut String, value: f64) {
    put(text, value, DIGITS_OF_DOUBLE, |read| read == value);
}

fn put(text: &mut String, value: f64, digits: usize, is_same: impl Fn(f64) -> bool) {
    if !value.is_finite() {
        return text.push_str(match value {
            _ if value.is_nan() => "NaN",
            _ if value > 0.0 => "Infinity",
            _ => "-Infinity",
        });
    }
    let start = text.len();
    put_general(text, value, FEW_DIGITS);
    if !text[start..].parse().is_ok_and(is_same) {
        text.truncate(start);
        put_general(text, value, digits);
    }
    if !text[start..].contains(['.', 'e']) {
        text.push_str(".0");
    }
}

/// As `%.*g`: no zeros at the end, and an exponent only where there would be too many elsewhere.
fn put_general(text: &mut String, value: f64, digits: usize) {
    let start = text.len();
    let _ = write!(text, "{value:.*e}", digits - 1);
    let end = text.rfind('e').expect("it has an exponent");
    let exponent: i32 = text[end + 1..].parse().expect("it is a number");
    text.truncate(end);
    let point = text.rfind('.').expect("it has several digits");
    if exponent < -4 || exponent >= digits as i32 {
        strip(text);
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(text, "e{sign}{:02}", exponent.abs());
        return;
    }
    text.remove(point);
    let first = point - 1;
    if exponent < 0 {
        text.insert_str(first, &"0.000"[..1 + exponent.unsigned_abs() as usize]);
    } else if (exponent as usize) < digits - 1 {
        text.insert(point + exponent as usize, '.');
    }
    if text[start..].contains('.') {
        strip(text);
    }
}

/// Takes away zeros after the point, and it with them.
fn strip(text: &mut String) {
    let kept = text.trim_end_matches('0').trim_end_matches('.').len();
    text.truncate(kept);
}

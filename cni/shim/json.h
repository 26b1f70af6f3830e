/*
 * A strict scanner for small JSON texts (RFC 8259). It allocates nothing, copies nothing but what it is asked
 * for, and recurses at most JSON_MAX_DEPTH deep, so no input can make it grow, hang or overflow the stack.
 */
#ifndef WEFT_JSON_H
#define WEFT_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* Arrays and objects within each other. */
#define JSON_MAX_DEPTH 64

/* A piece of a text that belongs to the caller; not NUL-terminated. */
struct json_span {
    const char *at;
    size_t length;
};

/*
 * True when `text` is exactly one JSON value and white space: valid UTF-8, no raw control characters in
 * strings, no lone surrogates, no trailing commas, no numbers like 01 or +1.
 */
bool json_valid(struct json_span text);

/*
 * The value of member `key` of the object `object` (which json_valid has accepted, or a value found in one that
 * was), without the white space around it. Of several members of that name the last counts, as in Go and
 * JavaScript. False when `object` is no object or has no such member.
 */
bool json_member(struct json_span object, const char *key, struct json_span *value);

/*
 * Decodes the string `value` into `out` with a closing NUL. False when it is no string, holds U+0000, or needs
 * more than `size` bytes; `out` is then the empty string.
 */
bool json_string(struct json_span value, char *out, size_t size);

/* True when `value` is a number without fraction and exponent. */
bool json_is_integer(struct json_span value);

/* A text under construction in memory of fixed size. What does not fit is left out and sets `overflow`. */
struct json_text {
    char *bytes;
    size_t size;
    size_t length;
    bool overflow;
};

/* Appends `text` as it is. */
void json_put(struct json_text *out, const char *text);

/* Appends the bytes of `span` as they are. */
void json_put_span(struct json_text *out, struct json_span span);

/* Appends `span` as a JSON string. Bytes that are not valid UTF-8 become U+FFFD. */
void json_put_string(struct json_text *out, struct json_span span);

/* The span of a NUL-terminated text. */
struct json_span json_span_of(const char *text);

/* True when all of `text` is valid UTF-8. */
bool json_is_utf8(struct json_span text);

#endif

#include "json.h"

#include <stdint.h>
#include <string.h>

struct scan {
    const char *at;
    const char *end;
};

static bool skip_value(struct scan *scan, int depth);

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static void skip_space(struct scan *scan) {
    while (scan->at < scan->end && is_space(*scan->at)) scan->at++;
}

static bool take(struct scan *scan, char wanted) {
    if (scan->at >= scan->end || *scan->at != wanted) return false;
    scan->at++;
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/*
 * Length of the UTF-8 sequence at `at` (1 to 4), or 0 when it is not one: truncated, overlong, a surrogate or
 * beyond U+10FFFF (RFC 3629 §4).
 */
static size_t utf8_length(const char *at, const char *end) {
    const unsigned char *b = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    if (left == 0) return 0;
    if (b[0] < 0x80) return 1;
    if (b[0] < 0xc2 || b[0] > 0xf4) return 0;
    size_t length = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    if (left < length) return 0;
    unsigned char low = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
    if (b[1] < low || b[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (b[i] < 0x80 || b[i] > 0xbf) return 0;
    return length;
}

static bool take_hex4(struct scan *scan, uint32_t *value) {
    if (scan->end - scan->at < 4) return false;
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = *scan->at++;
        uint32_t digit;
        if (is_digit(c)) digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f') digit = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F') digit = (uint32_t)(c - 'A' + 10);
        else return false;
        *value = *value << 4 | digit;
    }
    return true;
}

/* One escaped character, from behind its backslash. */
static bool take_escape(struct scan *scan, uint32_t *point) {
    if (scan->at >= scan->end) return false;
    switch (*scan->at++) {
    case '"': *point = '"'; return true;
    case '\\': *point = '\\'; return true;
    case '/': *point = '/'; return true;
    case 'b': *point = '\b'; return true;
    case 'f': *point = '\f'; return true;
    case 'n': *point = '\n'; return true;
    case 'r': *point = '\r'; return true;
    case 't': *point = '\t'; return true;
    case 'u': break;
    default: return false;
    }
    if (!take_hex4(scan, point)) return false;
    if (*point < 0xd800 || *point > 0xdfff) return true;
    uint32_t low;
    if (*point > 0xdbff || !take(scan, '\\') || !take(scan, 'u') || !take_hex4(scan, &low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return false;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static size_t encode_utf8(uint32_t point, char out[4]) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(lead[length] | point);
    return length;
}

/*
 * Reads a string. With `out` its decoded characters go there, and the answer is false when they and a NUL need
 * more than `size` bytes or one of them is U+0000.
 */
static bool take_string(struct scan *scan, char *out, size_t size) {
    size_t used = 0;
    if (!take(scan, '"')) return false;
    while (scan->at < scan->end) {
        char c = *scan->at;
        if (c == '"') {
            scan->at++;
            if (out != NULL) out[used] = '\0';
            return true;
        }
        if ((unsigned char)c < 0x20) return false;
        char piece[4];
        size_t length;
        if (c == '\\') {
            uint32_t point;
            scan->at++;
            if (!take_escape(scan, &point)) return false;
            if (out != NULL && point == 0) return false;
            length = encode_utf8(point, piece);
        } else {
            length = utf8_length(scan->at, scan->end);
            if (length == 0) return false;
            memcpy(piece, scan->at, length);
            scan->at += length;
        }
        if (out == NULL) continue;
        if (used + length + 1 > size) return false;
        memcpy(out + used, piece, length);
        used += length;
    }
    return false;
}

static bool skip_digits(struct scan *scan) {
    if (scan->at >= scan->end || !is_digit(*scan->at)) return false;
    while (scan->at < scan->end && is_digit(*scan->at)) scan->at++;
    return true;
}

static bool skip_number(struct scan *scan) {
    take(scan, '-');
    if (!take(scan, '0') && !skip_digits(scan)) return false;
    if (take(scan, '.') && !skip_digits(scan)) return false;
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+')) take(scan, '-');
        return skip_digits(scan);
    }
    return true;
}

static bool skip_word(struct scan *scan, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0) return false;
    scan->at += length;
    return true;
}

static bool skip_array(struct scan *scan, int depth) {
    if (depth >= JSON_MAX_DEPTH) return false;
    scan->at++;
    skip_space(scan);
    if (take(scan, ']')) return true;
    for (;;) {
        if (!skip_value(scan, depth + 1)) return false;
        if (take(scan, ']')) return true;
        if (!take(scan, ',')) return false;
    }
}

static bool skip_object(struct scan *scan, int depth) {
    if (depth >= JSON_MAX_DEPTH) return false;
    scan->at++;
    skip_space(scan);
    if (take(scan, '}')) return true;
    for (;;) {
        skip_space(scan);
        if (!take_string(scan, NULL, 0)) return false;
        skip_space(scan);
        if (!take(scan, ':') || !skip_value(scan, depth + 1)) return false;
        if (take(scan, '}')) return true;
        if (!take(scan, ',')) return false;
    }
}

/* Passes one value and the white space on both of its sides. */
static bool skip_value(struct scan *scan, int depth) {
    skip_space(scan);
    if (scan->at >= scan->end) return false;
    bool good;
    switch (*scan->at) {
    case '{': good = skip_object(scan, depth); break;
    case '[': good = skip_array(scan, depth); break;
    case '"': good = take_string(scan, NULL, 0); break;
    case 't': good = skip_word(scan, "true"); break;
    case 'f': good = skip_word(scan, "false"); break;
    case 'n': good = skip_word(scan, "null"); break;
    default: good = skip_number(scan); break;
    }
    skip_space(scan);
    return good;
}

bool json_valid(struct json_span text) {
    struct scan scan = {text.at, text.at + text.length};
    return skip_value(&scan, 0) && scan.at == scan.end;
}

bool json_member(struct json_span object, const char *key, struct json_span *value) {
    struct scan scan = {object.at, object.at + object.length};
    bool found = false;
    skip_space(&scan);
    if (!take(&scan, '{')) return false;
    skip_space(&scan);
    while (scan.at < scan.end && *scan.at == '"') {
        char name[32]; /* longer than every key that is asked for */
        struct scan again = scan;
        bool fits = take_string(&again, name, sizeof name);
        if (!take_string(&scan, NULL, 0)) return false;
        skip_space(&scan);
        if (!take(&scan, ':')) return false;
        skip_space(&scan);
        const char *start = scan.at;
        if (!skip_value(&scan, 1)) return false;
        if (fits && strcmp(name, key) == 0) {
            const char *end = scan.at;
            while (end > start && is_space(end[-1])) end--;
            *value = (struct json_span){start, (size_t)(end - start)};
            found = true;
        }
        if (!take(&scan, ',')) break;
        skip_space(&scan);
    }
    return found;
}

bool json_string(struct json_span value, char *out, size_t size) {
    struct scan scan = {value.at, value.at + value.length};
    if (size == 0) return false;
    if (take_string(&scan, out, size)) return true;
    out[0] = '\0';
    return false;
}

bool json_is_integer(struct json_span value) {
    struct scan scan = {value.at, value.at + value.length};
    take(&scan, '-');
    return skip_digits(&scan) && scan.at == scan.end;
}

struct json_span json_span_of(const char *text) { return (struct json_span){text, strlen(text)}; }

bool json_is_utf8(struct json_span text) {
    const char *end = text.at + text.length;
    for (const char *at = text.at; at < end;) {
        size_t length = utf8_length(at, end);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

void json_put_span(struct json_text *out, struct json_span span) {
    if (out->overflow || span.length > out->size - out->length) {
        out->overflow = true;
        return;
    }
    memcpy(out->bytes + out->length, span.at, span.length);
    out->length += span.length;
}

void json_put(struct json_text *out, const char *text) { json_put_span(out, json_span_of(text)); }

void json_put_string(struct json_text *out, struct json_span span) {
    static const char digits[] = "0123456789abcdef";
    const char *end = span.at + span.length;
    json_put(out, "\"");
    for (const char *at = span.at; at < end;) {
        unsigned char c = (unsigned char)*at;
        size_t length = utf8_length(at, end);
        if (length == 0) {
            json_put(out, "\xef\xbf\xbd");
            length = 1;
        } else if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t') {
            char escape[] = {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : *at};
            json_put_span(out, (struct json_span){escape, 2});
        } else if (c < 0x20) {
            char escape[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
            json_put_span(out, (struct json_span){escape, 6});
        } else {
            json_put_span(out, (struct json_span){at, length});
        }
        at += length;
    }
    json_put(out, "\"");
}

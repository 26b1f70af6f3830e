/*
 * For the fuzz tests: runs the scanner over many texts. stdin: frames of u32 little-endian length and that many
 * bytes. stdout: one line for each, "-" for a text that is not valid JSON, else "+" and the decoded string member
 * "name" in hexadecimal ("?" where there is none), and after a space what json_put_string makes of the text.
 * Each text lies at the end of its own allocation, so that the address sanitizer sees one byte read beyond it.
 */
#include "json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    unsigned char head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        size_t length = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        if (length > 1u << 20) return 2;
        char *bytes = malloc(length == 0 ? 1 : length);
        if (bytes == NULL || fread(bytes, 1, length, stdin) != length) return 2;
        struct json_span value, text = {bytes, length};
        if (json_valid(text)) {
            char name[64];
            if (json_member(text, "name", &value) && json_string(value, name, sizeof name)) {
                putchar('+');
                for (const char *at = name; *at != '\0'; at++) printf("%02x", (unsigned)(unsigned char)*at);
            } else {
                fputs("+?", stdout);
            }
        } else {
            putchar('-');
        }
        size_t room = 6 * length + 2;
        struct json_text out = {.bytes = malloc(room), .size = room};
        if (out.bytes == NULL) return 2;
        json_put_string(&out, text);
        if (out.overflow) return 3;
        putchar(' ');
        fwrite(out.bytes, 1, out.length, stdout);
        putchar('\n');
        free(out.bytes);
        free(bytes);
    }
    return 0;
}

/// The page's own files, put into the program by the build (cmake/embed_text.cmake). SHA-256 in hexadecimal digits.
#pragma once

namespace actsearch {

extern const char* const kPageHtml;
extern const char* const kPageStyle;
extern const char* const kPageStyleSha256;
extern const char* const kPageScript;
extern const char* const kPageScriptSha256;

}  // namespace actsearch

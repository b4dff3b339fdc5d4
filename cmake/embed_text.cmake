# Writes a C++ source that defines constants with the contents of text files: cmake -DIN=a.js,b.js -DOUT=… -DNAME=… -DHEADER=… -P this
# The files of IN (separated by commas) follow each other in the constant NAME; HEADER declares it. With -DHASHED=ON the constant NAMESha256
# is the SHA-256 of that text in hexadecimal digits.
string(REPLACE "," ";" files "${IN}")
set(text "")
foreach(file ${files})
  file(READ ${file} content)
  string(APPEND text "${content}")
endforeach()
set(hash "")
if(HASHED)
  string(SHA256 digits "${text}")
  set(hash "const char* const ${NAME}Sha256 = \"${digits}\";\n")
endif()
file(WRITE ${OUT} "#include \"${HEADER}\"\n\nnamespace actsearch {\n\nconst char* const ${NAME} = R\"text(${text})text\";\n${hash}\n}  // namespace actsearch\n")

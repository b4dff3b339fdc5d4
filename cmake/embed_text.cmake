# Writes a C++ source that defines the constant NAME with a text file's contents: cmake -DIN=… -DOUT=… -DNAME=… -DHEADER=… -P this
file(READ ${IN} text)
file(WRITE ${OUT} "#include \"${HEADER}\"\n\nnamespace actsearch {\n\nconst char* const ${NAME} = R\"text(${text})text\";\n\n}  // namespace actsearch\n")

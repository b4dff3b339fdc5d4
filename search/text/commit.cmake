# Writes version.cpp with the commit of SOURCE_DIR, touching it only when that changes:
#   cmake -D SOURCE_DIR=… -D VERSION=… -D OUTPUT=… -P
set(COMMIT unknown)
find_program(GIT git)
if(GIT)
  # The repository's own commit, not that of one that happens to lie around an unpacked archive.
  execute_process(COMMAND ${GIT} rev-parse --show-toplevel WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE top ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  file(REAL_PATH ${SOURCE_DIR} source)
  if(top STREQUAL source)
    execute_process(COMMAND ${GIT} describe --always --abbrev=12 --dirty=-modified --exclude=* WORKING_DIRECTORY ${SOURCE_DIR}
                    OUTPUT_VARIABLE described RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT failed)
      set(COMMIT ${described})
    endif()
  endif()
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/version.cpp.in ${OUTPUT} @ONLY)

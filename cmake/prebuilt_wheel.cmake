# The wheel's build where ACTSEARCH_PREBUILT names a build folder: its program and its extension are installed as they are.
cmake_path(ABSOLUTE_PATH ACTSEARCH_PREBUILT BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
set(extension ${ACTSEARCH_PREBUILT}/python/actsearch/_core.${SKBUILD_SOABI}.so)
foreach(file ${ACTSEARCH_PREBUILT}/actsearch ${extension})
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "ACTSEARCH_PREBUILT=${ACTSEARCH_PREBUILT}: there is no ${file}. It is built there for the Python that CMake finds; "
                        "without ACTSEARCH_PREBUILT the wheel is built for the Python that runs pip")
  endif()
endforeach()
add_custom_target(actsearch)
add_custom_target(actsearch_core)
install(PROGRAMS ${ACTSEARCH_PREBUILT}/actsearch DESTINATION ${SKBUILD_SCRIPTS_DIR} COMPONENT python)
install(FILES ${extension} DESTINATION actsearch COMPONENT python)

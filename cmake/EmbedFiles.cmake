# embed_files(FUNCTION OUTPUT FROM folder file...): writes OUTPUT, a C++ file that
# defines genzo::FUNCTION(name) -> text of that file of the folder. Written anew
# when a file changes.
function(embed_files function output from folder)
  set(cases "")
  foreach(name ${ARGN})
    set(file ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/${name})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    string(APPEND cases
      "  if (name == \"${name}\") return R\"genzo_text(${text})genzo_text\";\n")
  endforeach()
  string(CONCAT text "#include <string_view>\n\nnamespace genzo {\n\n"
    "std::string_view ${function}(std::string_view name) {\n${cases}"
    "  return \"\";\n}\n\n}  // namespace genzo\n")
  file(CONFIGURE OUTPUT ${output} CONTENT "@text@" @ONLY)
endfunction()

# What `cmake --install` lays down, and the package that other projects find:
#   find_package(ECF8 COMPONENTS Runtime)            ECF8::ECF8Runtime and the C API; no LLVM
#   find_package(ECF8 COMPONENTS Runtime Compiler)   the libraries of the compiler, too; needs MLIR 22
include(CMakePackageConfigHelpers)
set(ECF8_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/ECF8)

foreach(library ECF8Runtime ECF8CheckpointShared)
  set_target_properties(${library} PROPERTIES INSTALL_RPATH "$ORIGIN")
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  install(TARGETS ${library} EXPORT ECF8RuntimeTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT Runtime)
endforeach()
install(DIRECTORY include/ecf8-c DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT Runtime FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/include/ecf8/Version.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ecf8 COMPONENT Runtime)
install(EXPORT ECF8RuntimeTargets NAMESPACE ECF8:: DESTINATION ${ECF8_PACKAGE_DIR} COMPONENT Runtime)
if(TARGET ecf8-run)
  set_target_properties(ecf8-run PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endif()

if(ECF8_BUILD_COMPILER)
  install(DIRECTORY include/ecf8 ${PROJECT_BINARY_DIR}/include/ecf8
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT Compiler
    FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc" PATTERN "CMakeFiles" EXCLUDE)
  install(EXPORT ECF8CompilerTargets NAMESPACE ECF8:: DESTINATION ${ECF8_PACKAGE_DIR} COMPONENT Compiler)
  # Put this folder on PYTHONPATH and set ECF8_HOME to the prefix.
  install(DIRECTORY python/ecf8 DESTINATION ${CMAKE_INSTALL_LIBDIR}/ecf8/python COMPONENT Python
    PATTERN "__pycache__" EXCLUDE)
endif()

configure_package_config_file(cmake/ECF8Config.cmake.in ${PROJECT_BINARY_DIR}/cmake/ECF8Config.cmake
  INSTALL_DESTINATION ${ECF8_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/ECF8ConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/ECF8Config.cmake ${PROJECT_BINARY_DIR}/cmake/ECF8ConfigVersion.cmake
  DESTINATION ${ECF8_PACKAGE_DIR} COMPONENT Runtime)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT Runtime)

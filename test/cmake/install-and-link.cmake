# Installs the build into a scratch prefix, builds the consumer project against it, and runs what came out.
# Expects BUILD (built tree), SOURCE (the consumer), WORK (scratch), C_COMPILER, CXX_COMPILER.
file(REMOVE_RECURSE ${WORK})
foreach(step
    "--install;${BUILD};--prefix;${WORK}/prefix"
    "-G;Ninja;-S;${SOURCE};-B;${WORK}/build;-DCMAKE_PREFIX_PATH=${WORK}/prefix;-DCMAKE_C_COMPILER=${C_COMPILER};-DCMAKE_CXX_COMPILER=${CXX_COMPILER}"
    "--build;${WORK}/build")
  execute_process(COMMAND ${CMAKE_COMMAND} ${step} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${step}: ${output}")
  endif()
endforeach()

foreach(program runtime-consumer compiler-consumer)
  execute_process(COMMAND ${WORK}/build/${program} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${program}: ${status}\n${output}")
  endif()
endforeach()
foreach(tool ecf8-run ecf8-pack ecf8-compile ecf8-opt)
  execute_process(COMMAND ${WORK}/prefix/bin/${tool} --help RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "the installed ${tool} --help: ${status}\n${output}")
  endif()
endforeach()

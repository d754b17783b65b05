// What the machine's CPU can run, by the names that LLVM gives to x86 features.
#ifndef ECF8_LIB_RUNTIME_CPUFEATURES_H
#define ECF8_LIB_RUNTIME_CPUFEATURES_H

#include <string_view>

namespace ecf8 {

/// True if the CPU has the feature and the operating system saves its registers. False for names that are not known.
bool hostHasFeature(std::string_view name);

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_CPUFEATURES_H

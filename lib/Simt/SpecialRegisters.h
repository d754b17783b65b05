// Special registers of PTX (`llvm.nvvm.read.ptx.sreg.*`) that need no call.
#ifndef ECF8_SIMT_SPECIALREGISTERS_H
#define ECF8_SIMT_SPECIALREGISTERS_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ecf8::simt {

/// Where a register lies in a thread's Context, such as that of `tid.x`.
std::optional<size_t> registerOffset(std::string_view name);
/// The value of a register that is the same in each thread, such as `warpsize`.
std::optional<uint32_t> registerConstant(std::string_view name);

} // namespace ecf8::simt

#endif // ECF8_SIMT_SPECIALREGISTERS_H

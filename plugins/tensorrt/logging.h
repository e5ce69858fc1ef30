//! Where the plugins' errors go: TensorRT's logger once it is known, stderr before.
#ifndef SPIKEHALT_LOGGING_H
#define SPIKEHALT_LOGGING_H

#include <NvInferRuntime.h>

namespace spikehalt
{

//! Take the logger from the finder that TensorRT hands to a plugin library. The finder stays
//! TensorRT's and lives as long as the library.
void useLoggerOf(nvinfer1::ILoggerFinder* finder) noexcept;

//! Log "spikehalt <where>: <what>" as an error. Never throws; long texts are cut.
void logError(char const* where, char const* what) noexcept;

} // namespace spikehalt

#endif

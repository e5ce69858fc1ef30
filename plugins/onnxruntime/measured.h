//! Figures that were measured on this machine once, kept in a file beside the library.
#ifndef SPIKEHALT_ONNXRUNTIME_MEASURED_H
#define SPIKEHALT_ONNXRUNTIME_MEASURED_H

#include <optional>
#include <string>

namespace spikehalt::ort
{

//! The figure of a name without blanks, if `keep` was ever called for it by this library on a processor like
//! this one. The file is `measured-KEY.txt`, whose key is of the processor's model and the library's bytes. Where it
//! is absent, damaged or closed to us, what this process has kept is all that is known; that is no error.
std::optional<double> kept(std::string const& name);

//! Keep a figure, replacing the file in one step; where it cannot be written, for this process alone.
void keep(std::string const& name, double figure);

} // namespace spikehalt::ort

#endif

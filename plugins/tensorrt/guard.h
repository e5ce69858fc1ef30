//! TensorRT calls plugins through noexcept methods; what they do may throw.
#ifndef SPIKEHALT_GUARD_H
#define SPIKEHALT_GUARD_H

#include "logging.h"

#include <exception>
#include <stdexcept>
#include <string>

namespace spikehalt
{

//! Thrown inside a guarded body; the text says what was wrong and what is wanted.
class PluginException : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

inline void require(bool condition, std::string const& otherwise)
{
    if (!condition)
    {
        throw PluginException(otherwise);
    }
}

//! Run `body`; when it throws, log why and return `failure`.
template <typename Result, typename Body>
Result guarded(char const* where, Result failure, Body const& body) noexcept
{
    try
    {
        return body();
    }
    catch (std::exception const& error)
    {
        logError(where, error.what());
    }
    catch (...)
    {
        logError(where, "an exception of unknown type");
    }
    return failure;
}

} // namespace spikehalt

#endif

//! Errors: sentences thrown inside the library, statuses at its boundary.
#ifndef SPIKEHALT_ONNXRUNTIME_STATUS_H
#define SPIKEHALT_ONNXRUNTIME_STATUS_H

#include "api.h"

#include <exception>
#include <stdexcept>
#include <string>

namespace spikehalt::ort
{

//! A node that cannot be run; the message is a sentence that names the op.
class OpError final : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

//! Throw the status' message, if it is one.
inline void check(Api const& api, Status* status)
{
    if (status != nullptr)
    {
        std::string const message = api.call<slot::GetErrorMessage>(status);
        api.call<slot::ReleaseStatus>(status);
        throw OpError(message);
    }
}

//! Run `work`; what it throws becomes a status, since no exception may cross the C interface.
template <typename Work>
Status* guarded(Api const& api, Work const& work) noexcept
{
    try
    {
        work();
        return nullptr;
    }
    catch (OpError const& error)
    {
        return api.call<slot::CreateStatus>(ErrorCode::kINVALID_ARGUMENT, error.what());
    }
    catch (std::exception const& error)
    {
        return api.call<slot::CreateStatus>(ErrorCode::kFAIL, error.what());
    }
}

} // namespace spikehalt::ort

#endif

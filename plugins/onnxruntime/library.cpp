//! What ONNX Runtime looks for in the library: SessionOptions.register_custom_ops_library(path).
#include "registry.h"
#include "status.h"

#include <atomic>
#include <mutex>
#include <string>

namespace spikehalt::ort
{
namespace
{

constexpr char const* kDOMAIN = "spikehalt";

std::atomic<ApiTable const*> gTable{nullptr};

Status* refuseVersion(ApiBase const* base)
{
    ApiTable const* const oldest = base->GetApi(kOLDEST_VERSION);
    if (oldest == nullptr)
    {
        return nullptr; // there is no way to say so, and no ONNX Runtime like that
    }
    return guarded(Api(oldest), [&] {
        throw OpError("The kernels of spikehalt need ONNX Runtime 1." + std::to_string(kAPI_VERSION)
            + " or newer; this is " + base->GetVersionString() + ".");
    });
}

Status* addOps(Api const& api, Domain* domain)
{
    Status* status = nullptr;
    for (auto const op : {&lifOp, &packedLifOp, &packedLifStepsOp, &tokenHaltOp, &tokenHaltSumOp, &packedTokenHaltOp,
             &tokenMergeOp, &tokenMergeSimilarOp, &tokenPackOp, &spikeAttentionOp, &packedAttentionOp, &spikeCountOp, &patchesOp,
             &spikeLinearOp, &spikeLinearIntegerOp, &spikeConvOp, &spikeConvIntegerOp})
    {
        if (status == nullptr)
        {
            status = api.call<slot::CustomOpDomain_Add>(domain, op());
        }
    }
    return status;
}

//! The domain of the ops. Options do not own theirs, so one serves all and is never released.
Domain* domainOf(ApiTable const* table)
{
    static std::mutex mutex;
    static ApiTable const* owner = nullptr;
    static Domain* domain = nullptr;
    std::lock_guard<std::mutex> const lock(mutex);
    if (owner != table)
    {
        Api const api(table);
        Domain* made = nullptr;
        check(api, api.call<slot::CreateCustomOpDomain>(kDOMAIN, &made));
        Status* const status = addOps(api, made);
        if (status != nullptr)
        {
            api.call<slot::ReleaseCustomOpDomain>(made);
        }
        check(api, status);
        domain = made;
        owner = table;
    }
    return domain;
}

} // namespace

Api registeredApi()
{
    return Api(gTable.load());
}

} // namespace spikehalt::ort

extern "C" __attribute__((visibility("default"))) spikehalt::ort::Status* RegisterCustomOps(
    spikehalt::ort::SessionOptions* options, spikehalt::ort::ApiBase const* base)
{
    using namespace spikehalt::ort;
    ApiTable const* const table = base->GetApi(kAPI_VERSION);
    if (table == nullptr)
    {
        return refuseVersion(base);
    }
    gTable = table;
    Api const api(table);
    return guarded(api, [&] { check(api, api.call<slot::AddCustomOpDomain>(options, domainOf(table))); });
}

#include "inference.h"

#include <atomic>
#include <memory>

namespace spikehalt::ort
{
namespace
{

//! A name that no other axis has: ONNX Runtime would take a nameless one for an axis of -1.
std::string freshName()
{
    static std::atomic<uint64_t> count{0};
    return "spikehalt_dim_" + std::to_string(count++);
}

} // namespace

Inference::Inference(Api const& api, InferContext const* context)
    : mApi(api)
    , mContext(context)
{
}

TypeShape const* Inference::describe(size_t index) const
{
    TypeShape* info = nullptr; // belongs to the context
    check(mApi, mApi.call<slot::ShapeInferContext_GetInputTypeShape>(mContext, index, &info));
    return info;
}

Dims Inference::input(size_t index) const
{
    TypeShape const* const info = describe(index);
    size_t rank = 0;
    check(mApi, mApi.call<slot::GetDimensionsCount>(info, &rank));
    std::vector<int64_t> sizes(rank);
    std::vector<char const*> names(rank);
    check(mApi, mApi.call<slot::GetDimensions>(info, sizes.data(), rank));
    check(mApi, mApi.call<slot::GetSymbolicDimensions>(info, names.data(), rank));
    Dims dims;
    for (size_t axis = 0; axis < rank; ++axis)
    {
        dims.push_back({sizes[axis], names[axis]});
    }
    return dims;
}

Type Inference::inputType(size_t index) const
{
    Type type = Type::kUNDEFINED;
    check(mApi, mApi.call<slot::GetTensorElementType>(describe(index), &type));
    return type;
}

int64_t Inference::attribute(char const* name, int64_t otherwise) const
{
    Attribute const* attribute = nullptr;
    Status* status = mApi.call<slot::ShapeInferContext_GetAttribute>(mContext, name, &attribute);
    int64_t value = otherwise;
    if (status == nullptr && attribute != nullptr)
    {
        size_t bytes = 0;
        status = mApi.call<slot::ReadOpAttr>(
            attribute, AttributeType::kINT, static_cast<void*>(&value), sizeof(value), &bytes);
    }
    if (status != nullptr)
    {
        mApi.call<slot::ReleaseStatus>(status);
        return otherwise; // the kernel refuses such a node with a sentence
    }
    return value;
}

void Inference::setOutput(size_t index, Type type, Dims const& dims) const
{
    if (dims.empty())
    {
        return;
    }
    std::vector<int64_t> sizes;
    std::vector<std::string> names;
    for (Dim const& dim : dims)
    {
        sizes.push_back(dim.size);
        names.push_back(dim.size < 0 && dim.name.empty() ? freshName() : dim.name);
    }
    std::vector<char const*> texts;
    for (std::string const& name : names)
    {
        texts.push_back(name.c_str());
    }
    TypeShape* info = nullptr;
    check(mApi, mApi.call<slot::CreateTensorTypeAndShapeInfo>(&info));
    auto const release = [this](TypeShape* made) { mApi.call<slot::ReleaseTensorTypeAndShapeInfo>(made); };
    std::unique_ptr<TypeShape, decltype(release)> const owner(info, release);
    check(mApi, mApi.call<slot::SetTensorElementType>(info, type));
    check(mApi, mApi.call<slot::SetDimensions>(info, static_cast<int64_t const*>(sizes.data()), sizes.size()));
    check(mApi, mApi.call<slot::SetSymbolicDimensions>(info, texts.data(), texts.size()));
    TypeShape const* const constant = info;
    check(mApi, mApi.call<slot::ShapeInferContext_SetOutputTypeShape>(mContext, index, constant));
}

} // namespace spikehalt::ort

#include "context.h"

namespace spikehalt::ort
{
namespace
{

//! Fewer elements than this are done before another thread has woken up.
constexpr int64_t kELEMENTS_PER_PART = 32 * 1024;
constexpr int64_t kMAX_PARTS = 16;

//! What ONNX Runtime tells of a tensor, released at the end of the scope.
class Description
{
public:
    Description(Api const& api, Value const* value)
        : mApi(api)
    {
        check(api, api.call<slot::GetTensorTypeAndShape>(value, &mInfo));
    }
    Description(Description const&) = delete;
    Description& operator=(Description const&) = delete;
    ~Description() { mApi.call<slot::ReleaseTensorTypeAndShapeInfo>(mInfo); }

    Type type() const
    {
        Type type = Type::kUNDEFINED;
        check(mApi, mApi.call<slot::GetTensorElementType>(constant(), &type));
        return type;
    }

    size_t rank() const
    {
        size_t rank = 0;
        check(mApi, mApi.call<slot::GetDimensionsCount>(constant(), &rank));
        return rank;
    }

    Shape shape() const
    {
        Shape shape;
        shape.rank = rank();
        check(mApi, mApi.call<slot::GetDimensions>(constant(), shape.dims.data(), shape.rank));
        return shape;
    }

private:
    TypeShape const* constant() const { return mInfo; }

    Api mApi;
    TypeShape* mInfo = nullptr;
};

std::string number(Type type)
{
    return std::to_string(static_cast<int32_t>(type));
}

} // namespace

Input readTensor(Api const& api, Value const* value)
{
    Description const description(api, value);
    if (description.rank() > kMAX_RANK)
    {
        throw OpError("has more than " + std::to_string(kMAX_RANK) + " axes.");
    }
    void* data = nullptr;
    // There is no function for constant data; the kernels do not write to it.
    check(api, api.call<slot::GetTensorMutableData>(const_cast<Value*>(value), &data));
    return {description.type(), description.shape(), data};
}

Context::Context(Api const& api, KernelContext* context, char const* op, Port const* inputs, Port const* outputs)
    : mApi(api)
    , mContext(context)
    , mOp(op)
    , mInputs(inputs)
    , mOutputs(outputs)
{
}

Input Context::input(size_t index) const
{
    Value const* value = nullptr;
    KernelContext const* const context = mContext;
    check(mApi, mApi.call<slot::KernelContext_GetInput>(context, index, &value));
    if (value == nullptr)
    {
        refuse(index, "is missing.");
    }
    try
    {
        return readTensor(mApi, value);
    }
    catch (OpError const& error)
    {
        refuse(index, error.what());
    }
}

void* Context::output(size_t index, Shape const& shape, Type type) const
{
    Value* value = nullptr;
    check(mApi, mApi.call<slot::KernelContext_GetOutput>(mContext, index, shape.dims.data(), shape.rank, &value));
    if (value == nullptr)
    {
        throw OpError(std::string(mOp) + ": output " + mOutputs[index].name + " must not be left out.");
    }
    // The graph may declare another type than the node's attribute says.
    Type const given = Description(mApi, value).type();
    if (given != type)
    {
        throw OpError(std::string(mOp) + ": output " + mOutputs[index].name + " has element type " + number(given)
            + " in the graph, but the node gives " + number(type) + ".");
    }
    void* data = nullptr;
    check(mApi, mApi.call<slot::GetTensorMutableData>(value, &data));
    return data;
}

void Context::require(bool holds, char const* sentence) const
{
    if (!holds)
    {
        throw OpError(std::string(mOp) + ": " + sentence);
    }
}

void Context::requireShape(size_t index, Shape const& found, Shape const& wanted) const
{
    if (!(found == wanted))
    {
        refuse(index, "must have shape " + wanted.text() + ", not " + found.text() + ".");
    }
}

void Context::requireRank(size_t index, Shape const& found, size_t rank, char const* wanted) const
{
    if (found.rank != rank)
    {
        refuse(index, std::string("must have shape ") + wanted + ", not " + found.text() + ".");
    }
}

void Context::requireType(size_t index, Type found, Type wanted) const
{
    if (found != wanted)
    {
        refuse(index, "must have element type " + number(wanted) + ", not " + number(found) + ".");
    }
}

void Context::refuse(size_t index, std::string const& sentence) const
{
    throw OpError(std::string(mOp) + ": " + mInputs[index].name + " " + sentence);
}

int64_t Context::parts(int64_t items, int64_t elements)
{
    return std::min({items, items * elements / kELEMENTS_PER_PART, kMAX_PARTS});
}

} // namespace spikehalt::ort

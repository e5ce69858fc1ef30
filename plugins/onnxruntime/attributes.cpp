#include "attributes.h"

#include <algorithm>
#include <cmath>

namespace spikehalt::ort
{

Attributes::Attributes(Api const& api, KernelInfo const* info, char const* op)
    : mApi(api)
    , mInfo(info)
    , mOp(op)
{
}

float Attributes::readFloat(char const* name) const
{
    float value = 0.0F;
    checkFound(mApi.call<slot::KernelInfoGetAttribute_float>(mInfo, name, &value), name, "float");
    require(std::isfinite(value), std::string("attribute ") + name + " must be finite.");
    return value;
}

int64_t Attributes::readInt(char const* name, int64_t lowest, int64_t highest) const
{
    int64_t value = 0;
    checkFound(mApi.call<slot::KernelInfoGetAttribute_int64>(mInfo, name, &value), name, "int");
    require(value >= lowest && value <= highest,
        std::string("attribute ") + name + " must be between " + std::to_string(lowest) + " and "
            + std::to_string(highest) + ", not " + std::to_string(value) + ".");
    return value;
}

std::vector<int64_t> Attributes::readInts(char const* name) const
{
    size_t count = 0;
    int64_t* const none = nullptr;
    checkFound(mApi.call<slot::KernelInfoGetAttributeArray_int64>(mInfo, name, none, &count), name, "ints");
    std::vector<int64_t> values(count);
    if (count > 0)
    {
        checkFound(
            mApi.call<slot::KernelInfoGetAttributeArray_int64>(mInfo, name, values.data(), &count), name, "ints");
    }
    return values;
}

std::string Attributes::readString(char const* name) const
{
    size_t length = 0;
    char* const none = nullptr;
    checkFound(mApi.call<slot::KernelInfoGetAttribute_string>(mInfo, name, none, &length), name, "string");
    std::string text(length, '\0');
    checkFound(mApi.call<slot::KernelInfoGetAttribute_string>(mInfo, name, text.data(), &length), name, "string");
    text.resize(length - 1); // without the null that ends it
    return text;
}

Type Attributes::readType(char const* name, std::initializer_list<Type> types) const
{
    int64_t const value = readInt(name, 0, INT32_MAX);
    std::string allowed;
    for (Type const type : types)
    {
        allowed += (allowed.empty() ? "" : ", ") + std::to_string(static_cast<int32_t>(type));
    }
    auto const type = static_cast<Type>(value);
    require(std::find(types.begin(), types.end(), type) != types.end(),
        std::string("attribute ") + name + " must be one of " + allowed + "; not " + std::to_string(value) + ".");
    return type;
}

std::optional<Input> Attributes::constant(size_t index) const
{
    int found = 0;
    Value const* value = nullptr;
    check(mApi, mApi.call<slot::KernelInfoGetConstantInput_tensor>(mInfo, index, &found, &value));
    return found != 0 && value != nullptr ? std::optional<Input>(readTensor(mApi, value)) : std::nullopt;
}

void Attributes::require(bool holds, std::string const& sentence) const
{
    if (!holds)
    {
        throw OpError(std::string(mOp) + ": " + sentence);
    }
}

void Attributes::checkFound(Status* status, char const* name, char const* type) const
{
    bool const found = status == nullptr;
    if (!found)
    {
        mApi.call<slot::ReleaseStatus>(status);
    }
    require(found, std::string("the node needs attribute ") + name + " (" + type + ").");
}

} // namespace spikehalt::ort

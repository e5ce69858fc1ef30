#include "fields.h"

#include "guard.h"

#include <cstring>

namespace spikehalt
{

using nvinfer1::PluginField;
using nvinfer1::PluginFieldCollection;
using nvinfer1::PluginFieldType;

FieldReader::FieldReader(char const* op, PluginFieldCollection const* fields)
    : mOp(op)
    , mFields(fields)
{
    require(fields == nullptr || fields->nbFields == 0 || fields->fields != nullptr,
        mOp + ": the field collection has no fields where it says it has some.");
}

float FieldReader::readFloat(char const* name) const
{
    return *static_cast<float const*>(need(name, PluginFieldType::kFLOAT32).data);
}

float FieldReader::readFloat(char const* name, float otherwise) const
{
    PluginField const* const field = find(name, PluginFieldType::kFLOAT32);
    return field == nullptr ? otherwise : *static_cast<float const*>(field->data);
}

int32_t FieldReader::readInt(char const* name) const
{
    return *static_cast<int32_t const*>(need(name, PluginFieldType::kINT32).data);
}

int32_t FieldReader::readInt(char const* name, int32_t otherwise) const
{
    PluginField const* const field = find(name, PluginFieldType::kINT32);
    return field == nullptr ? otherwise : *static_cast<int32_t const*>(field->data);
}

std::string FieldReader::readString(char const* name, char const* otherwise) const
{
    PluginField const* const field = find(name, PluginFieldType::kCHAR);
    if (field == nullptr)
    {
        return otherwise;
    }
    // The length may or may not count a terminating zero.
    auto const* const text = static_cast<char const*>(field->data);
    return std::string(text, strnlen(text, static_cast<size_t>(field->length)));
}

PluginField const* FieldReader::find(char const* name, PluginFieldType type) const
{
    for (int32_t i = 0; mFields != nullptr && i < mFields->nbFields; ++i)
    {
        PluginField const& field = mFields->fields[i];
        if (field.name == nullptr || std::strcmp(field.name, name) != 0)
        {
            continue;
        }
        if (field.type != type)
        {
            refuse(name, "has another type than this plugin's field of that name");
        }
        if (field.data == nullptr)
        {
            refuse(name, "has no data");
        }
        bool const text = type == PluginFieldType::kCHAR;
        if (text ? field.length < 0 : field.length != 1)
        {
            refuse(name, "must hold exactly one value");
        }
        return &field;
    }
    return nullptr;
}

PluginField const& FieldReader::need(char const* name, PluginFieldType type) const
{
    PluginField const* const field = find(name, type);
    if (field == nullptr)
    {
        refuse(name, "is missing; export the model again so that its nodes carry every attribute");
    }
    return *field;
}

void FieldReader::refuse(char const* name, char const* why) const
{
    throw PluginException(mOp + ": attribute '" + name + "' " + why + ".");
}

void FieldList::addFloat(char const* name, float const* value)
{
    mFields.emplace_back(name, value, PluginFieldType::kFLOAT32, 1);
}

void FieldList::addInt(char const* name, int32_t const* value)
{
    mFields.emplace_back(name, value, PluginFieldType::kINT32, 1);
}

void FieldList::addString(char const* name, std::string const* value)
{
    int32_t const length = value == nullptr ? 1 : static_cast<int32_t>(value->size()) + 1;
    mFields.emplace_back(
        name, value == nullptr ? nullptr : value->c_str(), PluginFieldType::kCHAR, length);
}

PluginFieldCollection const* FieldList::collection() noexcept
{
    mCollection.nbFields = static_cast<int32_t>(mFields.size());
    mCollection.fields = mFields.data();
    return &mCollection;
}

} // namespace spikehalt

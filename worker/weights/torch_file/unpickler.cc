#include "worker/weights/torch_file/unpickler.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "worker/weights/json_text.h"
#include "worker/weights/torch_file/pickle_bytes.h"

namespace genzo {
namespace {

constexpr size_t kMaxValues = 1 << 20;
constexpr size_t kMaxTensors = 65536;
constexpr size_t kMaxRank = 8;
constexpr int kMaxDepth = 16;
constexpr size_t kMaxNameBytes = 1024;

// Values refer to others by their place in one vector: a pickle can build
// rings, which nobody then has to take apart.
using Ref = size_t;

struct Value {
  enum Kind {
    kNone,
    kBool,
    kInt,
    kText,
    kTuple,
    kList,
    kDict,  // items: key, value, key, value, ...
    kGlobal,
    kStorage,
    kTensor,
    kOther,  // numbers with a fraction, hooks: nobody asks what they are
  };
  Kind kind = kNone;
  int64_t number = 0;
  std::string text = {};
  std::vector<Ref> items = {};
  PickledTensor tensor = {};  // also what is known of a storage
};

// The storages that there are, by the class that a pickle names.
std::optional<at::ScalarType> StorageType(const std::string& global) {
  static const auto* const types = new std::map<std::string, at::ScalarType>{
      {"torch DoubleStorage", at::kDouble},
      {"torch FloatStorage", at::kFloat},
      {"torch HalfStorage", at::kHalf},
      {"torch BFloat16Storage", at::kBFloat16},
      {"torch LongStorage", at::kLong},
      {"torch IntStorage", at::kInt},
      {"torch ShortStorage", at::kShort},
      {"torch CharStorage", at::kChar},
      {"torch ByteStorage", at::kByte},
      {"torch BoolStorage", at::kBool}};
  const auto found = types->find(global);
  if (found == types->end()) return std::nullopt;
  return found->second;
}

// What makes a tensor, a parameter around it, a dictionary with an order.
constexpr char kRebuildTensor[] = "torch._utils _rebuild_tensor_v2";
constexpr char kRebuildParameter[] = "torch._utils _rebuild_parameter";
constexpr char kOrderedDict[] = "collections OrderedDict";

bool IsKnownGlobal(const std::string& name) {
  return name == kRebuildTensor || name == kRebuildParameter ||
         name == kOrderedDict || StorageType(name).has_value();
}

class Unpickler {
 public:
  explicit Unpickler(std::string_view pickle) : bytes_(pickle) {}

  absl::StatusOr<std::map<std::string, PickledTensor>> Run() {
    while (ok() && !stopped_) Step();
    if (!ok()) return bytes_.status();
    const Ref top = Pop();
    if (!ok()) return bytes_.status();
    std::map<std::string, PickledTensor> tensors;
    Collect(StateDict(top), "", 0, tensors);
    if (!ok()) return bytes_.status();
    if (tensors.empty()) {
      return absl::InvalidArgumentError("holds no dictionary of tensors");
    }
    return tensors;
  }

 private:
  void Fail(const std::string& what) { bytes_.Fail(what); }
  bool ok() const { return bytes_.status().ok(); }

  // --- values ----------------------------------------------------------------

  void Push(Value value) {
    if (values_.size() >= kMaxValues) {
      return Fail(absl::StrCat("more than ", kMaxValues, " values"));
    }
    values_.push_back(std::move(value));
    stack_.push_back(values_.size() - 1);
  }
  void PushInt(int64_t number) {
    Push({.kind = Value::kInt, .number = number});
  }
  void PushText(std::string_view text) {
    Push({.kind = Value::kText, .text = std::string(text)});
  }

  Ref Pop() {
    if (stack_.empty() || (!marks_.empty() && stack_.size() == marks_.back())) {
      Fail("takes a value from an empty stack");
      return 0;
    }
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }

  // What lies above the last mark.
  std::vector<Ref> PopMark() {
    if (marks_.empty()) {
      Fail("takes values down to a mark that is not there");
      return {};
    }
    std::vector<Ref> items(stack_.begin() + static_cast<long>(marks_.back()),
                           stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  // The value on top, of that kind; null if it is another.
  Value* Top(Value::Kind kind, const char* what) {
    const bool any =
        !stack_.empty() && (marks_.empty() || stack_.size() > marks_.back());
    if (!ok() || !any || values_[stack_.back()].kind != kind) {
      Fail(absl::StrCat(what, " is not what is on top"));
      return nullptr;
    }
    return &values_[stack_.back()];
  }

  void PushTuple(size_t count) {
    std::vector<Ref> items(count);
    for (size_t i = count; i-- > 0;) items[i] = Pop();
    Push({.kind = Value::kTuple, .items = std::move(items)});
  }

  void Extend(Value::Kind kind, const std::vector<Ref>& items) {
    if (kind == Value::kDict && items.size() % 2 != 0) {
      return Fail("a key without a value");
    }
    Value* const target =
        Top(kind, kind == Value::kDict ? "a dictionary" : "a list");
    if (target == nullptr) return;
    target->items.insert(target->items.end(), items.begin(), items.end());
  }

  void PushGlobal(const std::string& name) {
    if (!IsKnownGlobal(name)) {
      return Fail(absl::StrCat(
          "names \"", Shortened(name),
          "\", which is neither a storage of tensors nor what builds them; "
          "nothing else is read"));
    }
    Push({.kind = Value::kGlobal, .text = name});
  }

  // --- tensors ---------------------------------------------------------------

  // ("storage", class, key, place, elements)
  void PushStorage() {
    const Value& id = values_[Pop()];
    const auto text = [&](size_t i) -> const std::string& {
      return values_[id.items[i]].text;
    };
    if (!ok()) return;
    if (id.kind != Value::kTuple || id.items.size() != 5 ||
        values_[id.items[0]].kind != Value::kText || text(0) != "storage" ||
        values_[id.items[1]].kind != Value::kGlobal ||
        values_[id.items[2]].kind != Value::kText ||
        values_[id.items[4]].kind != Value::kInt) {
      return Fail("a persistent id that is no storage");
    }
    const auto dtype = StorageType(text(1));
    const int64_t elements = values_[id.items[4]].number;
    if (!dtype.has_value() || elements < 0 || text(2).size() > kMaxNameBytes) {
      return Fail("a storage of no type, size or name");
    }
    Push({.kind = Value::kStorage,
          .tensor = {.storage_key = text(2),
                     .dtype = *dtype,
                     .storage_elements = elements}});
  }

  std::optional<std::vector<int64_t>> Numbers(const Value& tuple) {
    std::vector<int64_t> numbers;
    if (tuple.kind != Value::kTuple || tuple.items.size() > kMaxRank) {
      return std::nullopt;
    }
    for (const Ref item : tuple.items) {
      if (values_[item].kind != Value::kInt || values_[item].number < 0) {
        return std::nullopt;
      }
      numbers.push_back(values_[item].number);
    }
    return numbers;
  }

  // (storage, offset, shape, strides, ...)
  void PushTensor(const Value& arguments) {
    const auto& items = arguments.items;
    if (items.size() < 4 || values_[items[0]].kind != Value::kStorage ||
        values_[items[1]].kind != Value::kInt) {
      return Fail("a tensor without storage, offset, shape and strides");
    }
    Value made = {.kind = Value::kTensor, .tensor = values_[items[0]].tensor};
    PickledTensor& tensor = made.tensor;
    tensor.offset = values_[items[1]].number;
    const auto shape = Numbers(values_[items[2]]);
    const auto strides = Numbers(values_[items[3]]);
    if (!shape.has_value() || !strides.has_value() ||
        shape->size() != strides->size() || tensor.offset < 0) {
      return Fail(absl::StrCat("a tensor of a shape that is none or has over ",
                               kMaxRank, " dimensions"));
    }
    tensor.shape = *shape;
    tensor.strides = *strides;
    // One behind the last element.
    int64_t end = tensor.offset;
    int64_t elements = 1;
    bool overflows = __builtin_add_overflow(end, 1, &end);
    bool empty = false;
    for (size_t i = 0; i < shape->size(); ++i) {
      empty = empty || (*shape)[i] == 0;
      int64_t reach = 0;
      overflows |= __builtin_mul_overflow(elements, (*shape)[i], &elements);
      overflows |= __builtin_mul_overflow(std::max<int64_t>(0, (*shape)[i] - 1),
                                          (*strides)[i], &reach);
      overflows |= __builtin_add_overflow(end, reach, &end);
    }
    // Strides of 0 would make a tensor of any size of one element.
    if (overflows || (!empty && end > tensor.storage_elements) ||
        elements > tensor.storage_elements) {
      return Fail(absl::StrCat("a tensor that ends behind its storage of ",
                               tensor.storage_elements, " elements"));
    }
    Push(std::move(made));
  }

  void Reduce() {
    const Value& arguments = values_[Pop()];
    const Value& function = values_[Pop()];
    if (!ok()) return;
    if (arguments.kind != Value::kTuple || function.kind != Value::kGlobal) {
      return Fail("calls what is no function of ours");
    }
    if (function.text == kRebuildTensor) return PushTensor(arguments);
    if (function.text == kRebuildParameter && !arguments.items.empty()) {
      stack_.push_back(arguments.items[0]);
      return;
    }
    if (function.text == kOrderedDict && arguments.items.empty()) {
      return Push({.kind = Value::kDict});
    }
    Fail(absl::StrCat("calls \"", function.text, "\" in another way than ",
                      "torch.save() does"));
  }

  // --- instructions ----------------------------------------------------------

  void Remember(uint64_t key) {
    if (stack_.empty()) return Fail("remembers a value that is not there");
    memo_[key] = stack_.back();
  }
  void Recall(uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return Fail("recalls what it did not remember");
    stack_.push_back(found->second);
  }

  void Step() {
    if (stack_.size() > kMaxValues) return Fail("fills its stack");
    bytes_.Mark();
    const auto code = static_cast<unsigned char>(bytes_.Unsigned(1));
    if (ok() && !Simple(code) && !Number(code) && !Container(code)) {
      Fail(absl::StrCat("instruction ", static_cast<int>(code), " ('",
                        code >= 0x20 && code < 0x7F
                            ? std::string(1, static_cast<char>(code))
                            : "?",
                        "') is none of those that describe tensors"));
    }
  }

  // Each returns whether the instruction was its to do.
  bool Simple(unsigned char code) {
    switch (code) {
      case 0x80:  // PROTO
        if (bytes_.Unsigned(1) > 5) Fail("a protocol above 5");
        return true;
      case 0x95:  // FRAME
        bytes_.Unsigned(8);
        return true;
      case '.':
        stopped_ = true;
        return true;
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case '0':  // POP
        Pop();
        return true;
      case 'q':
        Remember(bytes_.Unsigned(1));
        return true;
      case 'r':
        Remember(bytes_.Unsigned(4));
        return true;
      case 0x94:  // MEMOIZE
        Remember(memo_.size());
        return true;
      case 'h':
        Recall(bytes_.Unsigned(1));
        return true;
      case 'j':
        Recall(bytes_.Unsigned(4));
        return true;
      case 'c': {
        const std::string module = bytes_.Line();
        PushGlobal(absl::StrCat(module, " ", bytes_.Line()));
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const Value name = values_.empty() ? Value() : values_[Pop()];
        const Value module = values_.empty() ? Value() : values_[Pop()];
        PushGlobal(absl::StrCat(module.text, " ", name.text));
        return true;
      }
      case 'Q':
        PushStorage();
        return true;
      case 'R':
        Reduce();
        return true;
      default:
        return false;
    }
  }

  bool Number(unsigned char code) {
    switch (code) {
      case 'N':
        Push({.kind = Value::kNone});
        return true;
      case 0x88:
      case 0x89:
        Push({.kind = Value::kBool, .number = code == 0x88});
        return true;
      case 'J':
        PushInt(bytes_.Long(4));
        return true;
      case 'K':
        PushInt(static_cast<int64_t>(bytes_.Unsigned(1)));
        return true;
      case 'M':
        PushInt(static_cast<int64_t>(bytes_.Unsigned(2)));
        return true;
      case 0x8A:  // LONG1
        PushInt(bytes_.Long(bytes_.Unsigned(1)));
        return true;
      case 'G':  // BINFLOAT
        bytes_.Take(8);
        Push({.kind = Value::kOther});
        return true;
      case 'X':
        PushText(bytes_.Take(bytes_.Unsigned(4)));
        return true;
      case 0x8C:  // SHORT_BINUNICODE
        PushText(bytes_.Take(bytes_.Unsigned(1)));
        return true;
      default:
        return false;
    }
  }

  bool Container(unsigned char code) {
    switch (code) {
      case '}':
        Push({.kind = Value::kDict});
        return true;
      case ']':
        Push({.kind = Value::kList});
        return true;
      case ')':
        PushTuple(0);
        return true;
      case 0x85:
      case 0x86:
      case 0x87:
        PushTuple(code - 0x84);
        return true;
      case 't': {
        std::vector<Ref> items = PopMark();
        Push({.kind = Value::kTuple, .items = std::move(items)});
        return true;
      }
      case 'a':
        Extend(Value::kList, {Pop()});
        return true;
      case 'e':
        Extend(Value::kList, PopMark());
        return true;
      case 's': {
        const Ref value = Pop();
        const Ref key = Pop();
        Extend(Value::kDict, {key, value});
        return true;
      }
      case 'u':
        Extend(Value::kDict, PopMark());
        return true;
      case 'b':  // BUILD: attributes of a dictionary, "_metadata"
        Pop();
        Top(Value::kDict, "a dictionary");
        return true;
      default:
        return false;
    }
  }

  // --- the result ------------------------------------------------------------

  Ref StateDict(Ref top) const {
    const Value& value = values_[top];
    if (value.kind != Value::kDict) return top;
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      if (values_[value.items[i]].text == "state_dict" &&
          values_[value.items[i + 1]].kind == Value::kDict) {
        return value.items[i + 1];
      }
    }
    return top;
  }

  void Collect(Ref ref, const std::string& name, int depth,
               std::map<std::string, PickledTensor>& tensors) {
    const Value& value = values_[ref];
    if (value.kind == Value::kTensor) {
      if (tensors.size() >= kMaxTensors) {
        return Fail(absl::StrCat("more than ", kMaxTensors, " tensors"));
      }
      tensors[name] = value.tensor;
    }
    if (value.kind != Value::kDict) return;
    if (depth == kMaxDepth) return Fail("dictionaries nested too deep");
    for (size_t i = 0; i + 1 < value.items.size() && ok(); i += 2) {
      if (++visited_ > kMaxValues) return Fail("a dictionary without end");
      const Value& key = values_[value.items[i]];
      if (key.kind != Value::kText) continue;
      if (name.size() + key.text.size() > kMaxNameBytes) {
        return Fail(
            absl::StrCat("a name of more than ", kMaxNameBytes, " bytes"));
      }
      Collect(value.items[i + 1],
              name.empty() ? key.text : absl::StrCat(name, ".", key.text),
              depth + 1, tensors);
    }
  }

  PickleBytes bytes_;
  bool stopped_ = false;
  std::vector<Value> values_ = std::vector<Value>(1);  // 0: what is not there
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;
  std::map<uint64_t, Ref> memo_;
  size_t visited_ = 0;
};

}  // namespace

absl::StatusOr<std::map<std::string, PickledTensor>> ReadPickledTensors(
    std::string_view pickle) {
  return Unpickler(pickle).Run();
}

}  // namespace genzo

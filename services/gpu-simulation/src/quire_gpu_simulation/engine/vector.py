"""Arithmetic on 64-byte vectors inside numba functions: LLVM's own, because numba's loops vectorise too seldom.

A vector holds 8 numbers of a float64 array or 16 of a float32 one: an AVX-512 register, or several smaller ones. Row r
of an array are its numbers from `lanes * r` on. Every operation rounds the same way wherever it is compiled into,
because none of it is left to an optimiser's choice: multiply-adds are fused where the machine has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import register_model

if TYPE_CHECKING:
    from collections.abc import Callable

BYTES: Final = 64
_WORD: Final = ir.IntType(64)
_SIZES: Final = {types.float64: 8, types.float32: 4}


def intrinsic(function: Callable[..., Any]) -> Any:
    """A function that says, for the types of its arguments, what LLVM is to do."""
    return numba_intrinsic(function)


class Vector(types.Type):
    """Numba's type of a vector of `of` numbers."""

    def __init__(self, of: Any) -> None:
        self.of = of
        self.lanes = BYTES // _SIZES[of]
        super().__init__(name=f"Vector({of})")

    @property
    def llvm(self) -> Any:
        """LLVM's type."""
        return ir.VectorType(_scalar(self.of), self.lanes)

    @property
    def suffix(self) -> str:
        """What LLVM's intrinsics are called for this type."""
        return f"v{self.lanes}f{8 * _SIZES[self.of]}"


@register_model(Vector)
class _Model(PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, vector.llvm)  # type: ignore[no-untyped-call]


def _scalar(of: Any) -> Any:
    return ir.DoubleType() if of == types.float64 else ir.FloatType()


def _data(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    """The address of a flat array's number `at`."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [at])


@intrinsic
def lanes(typing: Any, array: Any) -> Any:  # noqa: ARG001 - numba's face, here and below
    """Numbers in a vector of this array, a constant to LLVM."""

    def emit(_context: Any, _builder: Any, signature: Any, _arguments: Any) -> Any:
        return ir.Constant(_WORD, BYTES // _SIZES[signature.args[0].dtype])

    return types.int64(array), emit


@intrinsic
def load(typing: Any, array: Any, row: Any) -> Any:  # noqa: ARG001
    """Row `row` of a flat, contiguous array."""
    vector = Vector(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = builder.mul(arguments[1], ir.Constant(_WORD, vector.lanes))
        address = _data(context, builder, signature.args[0], arguments[0], at)
        loaded = builder.load(builder.bitcast(address, vector.llvm.as_pointer()))
        loaded.align = _SIZES[array.dtype]
        return loaded

    return vector(array, types.int64), emit


@intrinsic
def store(typing: Any, array: Any, row: Any, value: Any) -> Any:  # noqa: ARG001
    """Write row `row`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = builder.mul(arguments[1], ir.Constant(_WORD, value.lanes))
        address = _data(context, builder, signature.args[0], arguments[0], at)
        stored = builder.store(arguments[2], builder.bitcast(address, value.llvm.as_pointer()))
        stored.align = _SIZES[array.dtype]
        return context.get_dummy_value()

    return types.void(array, types.int64, value), emit


@intrinsic
def splat(typing: Any, array: Any, at: Any) -> Any:  # noqa: ARG001
    """Number `at` of a flat array in every lane."""
    vector = Vector(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = builder.load(_data(context, builder, signature.args[0], arguments[0], arguments[1]))
        return _spread(builder, number, vector)

    return vector(array, types.int64), emit


@intrinsic
def zeros(typing: Any, array: Any) -> Any:  # noqa: ARG001
    """A vector of zeros, of the array's sort."""
    vector = Vector(array.dtype)

    def emit(_context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return ir.Constant(vector.llvm, [0.0] * vector.lanes)

    return vector(array), emit


@intrinsic
def total(typing: Any, value: Any) -> Any:  # noqa: ARG001
    """The sum of a vector's numbers, neighbours first: ((0 + 1) + (2 + 3)) + ..."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        current, width = arguments[0], value.lanes
        while width > 1:
            width //= 2
            parts = []
            for odd in (0, 1):
                mask = [2 * lane + odd for lane in range(width)]
                parts.append(builder.shuffle_vector(current, ir.Constant(current.type, ir.Undefined), _mask(mask)))
            current = builder.fadd(*parts)
        return builder.extract_element(current, ir.Constant(ir.IntType(32), 0))

    return value.of(value), emit


def _spread(builder: Any, number: Any, vector: Vector) -> Any:
    zero = ir.Constant(ir.IntType(32), 0)
    first = builder.insert_element(ir.Constant(vector.llvm, ir.Undefined), number, zero)
    return builder.shuffle_vector(first, ir.Constant(vector.llvm, ir.Undefined), _mask([0] * vector.lanes))


def _mask(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)


def _binary(instruction: str, doc: str) -> Any:
    def operation(typing: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return x(x, y), emit

    operation.__doc__ = doc
    return intrinsic(operation)


def _fused(negate: bool, doc: str) -> Any:  # noqa: FBT001
    def operation(typing: Any, x: Any, y: Any, z: Any) -> Any:  # noqa: ARG001
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            function = ir.FunctionType(x.llvm, [x.llvm] * 3)
            fused = cgutils.get_or_insert_function(builder.module, function, f"llvm.fmuladd.{x.suffix}")
            first = builder.fneg(arguments[0]) if negate else arguments[0]
            return builder.call(fused, [first, *arguments[1:]])

        return x(x, y, z), emit

    operation.__doc__ = doc
    return intrinsic(operation)


def _exchange(distance: int) -> Any:
    def operation(typing: Any, x: Any) -> Any:  # noqa: ARG001
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            mask = _mask([(lane ^ distance) % x.lanes for lane in range(x.lanes)])
            return builder.shuffle_vector(arguments[0], ir.Constant(x.llvm, ir.Undefined), mask)

        return x(x), emit

    operation.__doc__ = f"Lane i from lane i ^ {distance}."
    return intrinsic(operation)


add: Final = _binary("fadd", "x + y")
subtract: Final = _binary("fsub", "x - y")
multiply: Final = _binary("fmul", "x * y")
fma: Final = _fused(negate=False, doc="z + x * y")
fnma: Final = _fused(negate=True, doc="z - x * y")
exchange_1: Final = _exchange(1)
exchange_2: Final = _exchange(2)
exchange_4: Final = _exchange(4)
exchange_8: Final = _exchange(8)

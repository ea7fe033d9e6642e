"""Write model.h for forward_pass.c: python model_header.py model.json > model.h."""

import json
import math
import sys

with open(sys.argv[1]) as file:
    model = json.load(file)
layers = model["members"][0]["layers"]
widths = [model["n_features"], *(len(layer["bias"]) for layer in layers)]
numbers = [
    number
    for member in model["members"]
    for layer in member["layers"]
    for row in [*layer["weights"], layer["bias"]]
    for number in row
]
names = "RELU, LEAKY_RELU, ELU, SELU, GELU, SILU, MISH, TANH, LOGISTIC, IDENTITY"
print(f"enum {{ {names} }};")
print(f"enum {{ WIDEST = {max(widths)}, N_CLASSES = {widths[-1]} }};")
print(f"enum {{ N_LAYERS = {len(layers)}, N_MEMBERS = {len(model['members'])} }};")
activations = [layer["activation"].upper() for layer in layers]
print(f"static const int ACTIVATIONS[] = {{ {', '.join(activations)} }};")
print(f"static const int WIDTHS[] = {{ {', '.join(map(str, widths))} }};")
print(f"static const double TEMPERATURE = {model['temperature']!r};")
ratio = [math.exp(each) for each in model.get("log_prior_ratio", [0.0] * widths[-1])]
print(f"static const double PRIOR_RATIO[] = {{ {', '.join(map(repr, ratio))} }};")
print(f"static const double NUMBERS[] = {{ {', '.join(map(repr, numbers))} }};")

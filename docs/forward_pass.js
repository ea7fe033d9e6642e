const erf = (x) => {  // NIST's Digital Library of Mathematical Functions, 7.6.2
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++)
    sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
};
const sigmoid = (x) => 0.5 * Math.tanh(0.5 * x) + 0.5;
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const activations = {
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x) => Math.max(x, 0.01 * x),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  silu: (x) => x * sigmoid(x),
  mish: (x) => x * Math.tanh(softplus(x)),
  tanh: Math.tanh, logistic: sigmoid, identity: (x) => x,
};
const dense = (x, { weights, bias, activation }) =>
  bias.map((b, j) => activations[activation](x.reduce((sum, xi, i) => sum + xi * weights[i][j], b)));
const softmax = (z) => {
  const highest = Math.max(...z), e = z.map((zi) => Math.exp(zi - highest));
  const sum = e.reduce((a, b) => a + b);
  return e.map((ei) => ei / sum);
};
const predictProba = (model, x) => {
  const p = model.members
    .map(({ layers }) => softmax(layers.reduce(dense, x).map((zi) => zi / model.temperature)))
    .reduce((sum, p) => sum.map((si, i) => si + p[i])).map((si) => si / model.members.length);
  const ratio = model.log_prior_ratio;  // of a model whose class priors were corrected
  return ratio ? softmax(p.map((pi, i) => Math.log(pi) + ratio[i])) : p;
};

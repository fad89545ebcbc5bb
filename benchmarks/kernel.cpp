// The training loop of fused.cpp, and its parts one by one, for benchmarks/kernel.py.
#include FUSED

extern "C" {

// The parts of a step, in the order of the names in kernel.py.
enum Part {
    DrawUniforms,
    MakeFeatures,
    HiddenUnits,
    OutputSlope,
    HiddenSlope,
    WeightGradient,
    BiasGradient,
    WholeGradient,
    Optimizer,
    FindActive,
    SparseHiddenUnits,
    SparseHiddenSlope,
    SparseWeightGradient
};

// Takes one part of a step, `times` times, for one of the instances and the first tile of a batch. Returns whether
// training takes this part there: the sparse ones only if few values are nonzero.
int repeat(int part, int times, int which, const Data* data, const float* parameters, float* gradients, int batch) {
    Tile* tile = new Tile();
    Columns* columns = new Columns[SPARSE ? 1 : 0]();
    float* shifts = new float[ATTACKED ? n * n : 0]();
    const Data d = data_of_instance(*data, shifts, which);
    const float* p = parameters + which * PARAMETERS;
    float* g = gradients;
    draw(*tile, 0, 0, TRAINING, 0, 0);
    compute_features(*tile, d);
    compute_hidden(*tile, p);
    compute_output_slope(*tile, d, p, 0, batch);
    compute_hidden_slope(*tile, p);
    const Factors of_output{tile->h, tile->dz}, of_input{tile->dh, input(*tile)};
    float* state = new float[3 * PARAMETERS]();
    bool sparse_input = false, sparse_slope = false;
    if constexpr (SPARSE) {
        fill_columns(*columns, p);
        sparse_input = is_sparse(input(*tile), tile->active);
        sparse_slope = is_sparse(tile->dz, tile->nonzero_dz);
        transpose(tile->h, tile->sample_h);
        transpose(tile->dh, tile->sample_dh);
    }
    for (int k = 0; k < times; ++k) {
        asm volatile("" ::: "memory");
        if (part == DrawUniforms) draw(*tile, 0, k, TRAINING, 0, 0);
        if (part == MakeFeatures) compute_features(*tile, d);
        if (part == HiddenUnits) compute_hidden(*tile, p);
        if (part == OutputSlope) compute_output_slope(*tile, d, p, 0, batch);
        if (part == HiddenSlope) compute_hidden_slope(*tile, p);
        if (part == WeightGradient) {
            if constexpr (UNTIED) {
                add_outer_products(g + W_OUT, of_output);
                add_outer_products(g + W_IN, of_input);
            } else {
                add_outer_products(g + W_IN, of_output, of_input);
            }
        }
        if (part == Optimizer)
            adamw(PARAMETERS, g, state, state + PARAMETERS, state + 2 * PARAMETERS, k, 1e-3f, 0.f, 0.9f, 0.999f, 1e-8f);
        if constexpr (SPARSE) {
            if (part == FindActive) is_sparse(input(*tile), tile->active);
            if (part == SparseHiddenUnits) compute_sparse_hidden(*tile, p, *columns);
            if (part == SparseHiddenSlope) compute_sparse_hidden_slope(*tile, *columns);
            if (part == SparseWeightGradient) add_sparse_input_gradient(*tile, input(*tile), *columns);
        }
        if (part == BiasGradient) add_row_sums<n>(tile->dz, g + BIAS);
        if (part == WholeGradient) {
            if constexpr (IN_REGISTERS)
                add_gradient_in_registers(*tile, d, p, g, 0, batch);
            else
                add_gradient(*tile, d, p, g, columns, 0, batch);
        }
    }
    delete[] state;
    delete[] shifts;
    delete[] columns;
    delete tile;
    if (part == SparseHiddenUnits || part == SparseWeightGradient) return sparse_input;
    if (part == SparseHiddenSlope) return sparse_slope;
    return true;
}
}

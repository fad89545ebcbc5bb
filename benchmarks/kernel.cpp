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
int repeat(int part, int times, int which, const Data* data, const float* empty, const float* l1, const float* parameters,
            float* gradients, int batch) {
    Tile* tile = new Tile();
    Columns* columns = new Columns[SPARSE ? 1 : 0]();
    float* shifts = new float[ATTACKED ? n * n : 0]();
    Data d = instance(*data, shifts, l1, which);
    d.empty = empty[which];
    const float* p = parameters + which * PARAMETERS;
    float* g = gradients;
    draw(*tile, 0, 0, TRAINING, 0, 0);
    features(*tile, d);
    hidden(*tile, p);
    output_slope(*tile, d, p, 0, batch);
    hidden_slope(*tile, p);
    float* state = new float[3 * PARAMETERS]();
    bool few_on = false, few_wrong = false;
    if constexpr (SPARSE) {
        prepare(*columns, p);
        few_on = few(input(*tile), tile->on);
        few_wrong = few(tile->dz, tile->wrong);
        turn(tile->h, tile->sample_h);
        turn(tile->dh, tile->sample_dh);
    }
    for (int k = 0; k < times; ++k) {
        asm volatile("" ::: "memory");
        if (part == DrawUniforms) draw(*tile, 0, k, TRAINING, 0, 0);
        if (part == MakeFeatures) features(*tile, d);
        if (part == HiddenUnits) hidden(*tile, p);
        if (part == OutputSlope) output_slope(*tile, d, p, 0, batch);
        if (part == HiddenSlope) hidden_slope(*tile, p);
        if (part == WeightGradient) {
            if constexpr (UNTIED) {
                outer<false>(tile->h, tile->dz, tile->h, tile->dz, g + W_OUT);
                outer<false>(tile->dh, input(*tile), tile->h, tile->dz, g + W_IN);
            } else {
                outer<true>(tile->h, tile->dz, tile->dh, input(*tile), g + W_IN);
            }
        }
        if (part == Optimizer)
            adamw(PARAMETERS, g, state, state + PARAMETERS, state + 2 * PARAMETERS, k, 1e-3f, 0.f, 0.9f, 0.999f, 1e-8f);
        if constexpr (SPARSE) {
            if (part == FindActive) few(input(*tile), tile->on);
            if (part == SparseHiddenUnits) hidden_of_few(*tile, p, *columns);
            if (part == SparseHiddenSlope) back_from_few(*tile, *columns);
            if (part == SparseWeightGradient) input_gradient_of_few(*tile, input(*tile), *columns);
        }
        if (part == BiasGradient) add_row_sums<n>(tile->dz, g + BIAS);
        if (part == WholeGradient) {
            if constexpr (SMALL)
                gradient_of_small(*tile, d, p, g, 0, batch);
            else
                gradient(*tile, d, p, g, columns, 0, batch);
        }
    }
    delete[] state;
    delete[] shifts;
    delete[] columns;
    delete tile;
    if (part == SparseHiddenUnits || part == SparseWeightGradient) return few_on;
    if (part == SparseHiddenSlope) return few_wrong;
    return true;
}
}

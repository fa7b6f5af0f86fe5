"""Make the bundled sample of covertype: python make_covertype_sample.py CACHE, the root of an OpenML cache.

The sample has 20,000 of the 581,012 rows, drawn uniformly without replacement, in their original order. The
seed is the smallest for which every class and every soil type occurs, so that no column is constant.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 20_000


def main(cache: Path) -> None:
    """Write covertype_sample.parquet into the folder of this file."""
    table = pq.read_table(cache / "org" / "openml" / "www" / "datasets" / "1596" / "dataset_1596.pq")
    table = table.replace_schema_metadata(None)
    binary = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    codes = {name: table[name].combine_chunks().indices.to_numpy() for name in binary}
    seed = 0
    while True:
        chosen = np.sort(np.random.default_rng(seed).choice(table.num_rows, ROWS, replace=False))
        if all(len(np.unique(codes[name][chosen])) == len(np.unique(codes[name])) for name in binary):
            break
        seed += 1
    out = Path(__file__).parent / "covertype_sample.parquet"
    pq.write_table(table.take(chosen), out, compression="zstd", compression_level=19)
    print(f"seed {seed}: {out.name}, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

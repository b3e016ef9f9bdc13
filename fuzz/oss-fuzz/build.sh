#!/bin/bash -eu
# Run by OSS-Fuzz: puts fuzz targets with their seeds and dictionaries into $OUT.

cd "$SRC/ds-runtime"
cargo fuzz build -O --debug-assertions

release=fuzz/target/x86_64-unknown-linux-gnu/release
for source in fuzz/fuzz_targets/*.rs; do
  target=$(basename "$source" .rs)
  cp "$release/$target" "$OUT/"
  zip --quiet --junk-paths "$OUT/${target}_seed_corpus.zip" "fuzz/seeds/$target/"*
  if [ -e "fuzz/dictionaries/$target.dict" ]; then
    cp "fuzz/dictionaries/$target.dict" "$OUT/"
  fi
done

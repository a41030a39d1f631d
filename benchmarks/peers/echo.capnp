@0xc8f6a1b2d3e4f506;

interface Echo {
  echo @0 (message :Data) -> (message :Data);
}

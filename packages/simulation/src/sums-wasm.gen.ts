/** Made by assembly/build.mjs from assembly/: 217 bytes of WebAssembly. Do not edit. */
export const SUMS_WASM =
  '( 1 C =)((()0) 0, O O O O(+*)(-+)()/>*1 1 4 4| 1 > 7 5 C((. = 5 = ? B I*(2 u)) r)), O+jH+H-t,jH(H*P*(k* D :I,H)H*P*,k* DJ/k @ A :I.H)H/ :I/+jH)H.s,jH,H,#(,(H)#(,(#!%)#3,(H,k8 :I,H)k8 :I)4)33+jH)H/s,jH,H,P*(H)P*( :_*(H,k, :I,H)k, :I)4)33H*k0 :I*H-k) :I-4)333';

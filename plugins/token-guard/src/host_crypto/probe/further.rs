//! Known good signatures beyond those of RFC 7515, made by OpenSSL 3.0 with keys that were made for tests.

/// Of RS384 and RS512.
pub(super) const RSA_KEY: &str = r#"{"keys":[{"kty":"RSA","n":"x9EFA2DoFyQ-ow3kcv424UA18QfhzFAVKkIkPdkzQ9LA-hkP4dL75UAiWbbL0sKBOadh6zU--1kxLPN1t71SNEZSiwK5ZTx5F_KLCVZgKruQsNLnpfsCpGywCs--MyuGgrtra2Rn5fXWkMEE5HPpzD8gwLf3KtJzFrxU3u8l6HiW5wdzMukEyfaekujxhWw3HqKYaGq72ckT8rsGP8aw3YiyEhzOiZEXJAEyWq8qunf-kyKDGuZoB3Fk-a4pjBRSB9TMnfQVvaOC2mUvX37qlF8TcTQH7UvUsfw3_fHjnqWDICMW2bzldEmfXR8vPqtP02fh1I9yTCl4L7zQq6Pxbw","e":"AQAB"}]}"#;

/// A token by [`RSA_KEY`].
pub(super) const RS384: (&str, &str) = (
    "eyJhbGciOiJSUzM4NCJ9.eyJpc3MiOiJqb2UifQ.Vrv6c0UPcWw9ZePpl90SpWdJ1qd0-yQvCC_ZF-S_cpwOcPhk5R9OH6At4kQpFnQkLjhwGwjPbgWzlvGYSR_ROT_BjfvE_VZ5DASxEvpVBFcftOAgWApioq1QScFJmwWtoFm5iZ7d6JGiePb1hqzRqxBPyKLzc8YP_Y0AHwMssUbHE_ZlqH9O1uTk8_Skz8qeUM_N0JOlSjOsVGzq-RUr6huIxcP39p4H5JJe5hFgUwyrdkKxtiPmv8kwZPLEGOjLSAT3JvxVsOM7rsI8WsKbShPpPTmoeVMwZOtDdOSlQzLUo_b2H3pVs7R1hSYC9-sKI9OrO5S1qG_PWJLMRZdVTw",
    RSA_KEY,
);

/// A token by [`RSA_KEY`].
pub(super) const RS512: (&str, &str) = (
    "eyJhbGciOiJSUzUxMiJ9.eyJpc3MiOiJqb2UifQ.eG-U8I0u0EqYqv2ZJ02pQHcO-_de5DNMW0fywrtX6wZbPcso4OUu5Zgd0kgG35gz288B1AYoFgqGRkfaonHW0dVnAOJJj7gSjk5iSu8RD5nEzidJ3NaL2JgZIQ5D8fC1lM6M65usGODD-dL-VlXgGWwxk5bK4pbSvpWEXP_ytQBBON_aQx9xgqYnEYorLd9Rd7WkNJgWI2K8IfCFJBLY2DyZlTNBGV5WN5dIgjXMeFwc0PS0hYdrrFU4q6RinypfVp6c9NCsrK_oFxRTKkx-1vtTgNf-DY9sZoIga2QoWP_TiyAPQjEe_ibnNVjzCnuqXiZN7rIPZ7jaMt7NcChEbg",
    RSA_KEY,
);

/// A token, and the public key.
pub(super) const ES384: (&str, &str) = (
    "eyJhbGciOiJFUzM4NCJ9.eyJpc3MiOiJqb2UifQ.yH_HXNh1Twj0bo3JwVpXyD56zFwzrtBbcdS4RpgScnk6mTfYRRtgQUH40zx5uAsSqH3vLXfyM5gaZF8BDjI4KApIO2ETSwBZgIDbCQ9dILg6jVQbpkrkx7-SeIh4aHkl",
    r#"{"keys":[{"kty":"EC","crv":"P-384","x":"tBo7Uj-RJPbAZ8obg0Q1CQB58EQePeF6ldmy53FbBcD_j3UAwVj28hoD3j7dThFq","y":"WiuyC-uiwnLjyhU_Ulqrzaoy5KRhDyUuiaeJe0xi_BYG_EqSTBF7qVbz_ogW6zCh"}]}"#,
);

/// A token, and the public key.
pub(super) const ES512: (&str, &str) = (
    "eyJhbGciOiJFUzUxMiJ9.eyJpc3MiOiJqb2UifQ.AQIBP4ACClDa6Gw0S0L9Vo2_9fzE784HAxGMopK086WppFH0Thu6QTHpAiKj7L6HVkVNhq-Bp2q5cTZS0VxH9dCOARbmCM4J4ix2f9FsabjMeDDNmt8SmjP8lLMVKGdyEN1sFWanIKwvEx76wlB15r0sqoPb0BdIFA6J7o0SrPOUTqRo",
    r#"{"keys":[{"kty":"EC","crv":"P-521","x":"AG3vYLpTrCZFC4HbQpsAp9aqtl2QVuJewzKLm-CyUZAzQJuSz_803glLdoyX4No0ys9LmY6oUk3iGXbYOd6DpfgD","y":"Af3qYVjz_go-epRTEoj5CBwQBY1lw44M86Ac6cMQk6fXLtnu7d2D6SXjZV3UkCYmvOsgyNpf0alMy6nTB8ihldZ7"}]}"#,
);
